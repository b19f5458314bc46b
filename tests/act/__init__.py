"""Runs a workflow the way GitHub would, on this machine: `act`, real containers, our real Dockerfile.

    run = run_workflow(project, ".github/workflows/grokfix.yml", "issue_comment", payload, host=host, mint=mint, sha=sha)
    assert run.jobs == {"claim": "success", …}
    run.step("claim", "grokfix").outputs["proceed"]

What GitHub does and act does not, this package adds: a token of its own for every job, with the rights that the
workflow gives that job; stand-ins for the actions that move artifacts; facts of the run that act would make up.
What neither does: concurrency groups, permissions (the server behind the token refuses), the approval of runs.
"""
