"""The trajectory: what happened, written as it happens, redacted before it is written.

A trace is JSON Lines. The first line is the header `{"format": "grokfix-trace/1", "started": <Unix seconds>, …}`;
every further line is one event `{"seq", "t", "kind", "prev", …data}`: `seq` counts from 1, `t` is seconds since the
trace was opened, `prev` is the SHA-256 (64 hex digits) of the preceding line's bytes without its newline.

What the data of each kind holds. Emitters leave out what they do not know; readers take every field as optional and
as untrusted text.

| kind | data |
| --- | --- |
| run | version, path, commit, engine, sandbox, isolated, model, max_attempts, max_cost_usd, max_minutes, max_tokens,
|     | candidates, context (tokens), replay_of (SHA-256 of the trace that is replayed), job: {selectors: [text], good,
|     | hint, include_work_tree, test_command: [argument], wanted: [{id, outcome, phase, message, traceback}] or null} |
| note | text: a line for people about what is going on |
| evidence | clusters: [{fingerprint, targets: [node id], exception, message}] |
| base | run_id, tests, failed, seconds, flaky: [node id], not_reproduced: [node id] |
| locations | repair, locations: [{path, line, symbol, suspiciousness, reason}] |
| request | repair, model, conversation, earlier_messages (count), key (SHA-256 of the whole request, canonical),
|         | messages: [{role, content, tool_calls?, tool_call_id?}] (the new ones), tools: [name] |
| stream | repair, part (text, reasoning, tool, restart), text: what arrived since the last one, redacted as joined |
| reply | repair, model (as served), text, reasoning, tool_calls: [{id, name, arguments}], finish_reason, seconds,
|       | provider; of a request that failed instead: fault (bot.errors.ModelFault), error (its message) |
| tool_call | repair, id, name, arguments (text as the model wrote it) |
| tool_result | repair, id, name, ok, result, seconds |
| proposal | repair, attempt, engine, root_cause, confidence, patch, why_no_test,
|          | new_test: {path, source, explanation} or null |
| applied | repair, attempt, patch_sha256, files: [path] |
| vet | repair, attempt, objections: [{rule, path, line, message, grade: allowed, review or blocked}] |
| sandbox_run | phase: started or finished, run_id, purpose; when finished also tests, failed, failing: [node id],
|             | exit_code, seconds, box_seconds, timed_out, oom_killed, problem, output (its tail) |
| gate | repair, attempt, name, status, evidence, run_ids: [run id], patch_sha256 |
| attempt | repair, attempt, verdict, message |
| usage | the fields of bot.ports.Usage; each event is an increment, never a running total |
| outcome | repair (absent: the whole run), outcome, reason, message, patch, new_tests: [node id],
|         | tests: [{id, before, after}] |

`repair` counts the clusters of a run from 1, `attempt` the attempts of one repair from 1; `sandbox_run` with phase
"started" is also how a live view learns what runs now (purpose is a phrase: "base run", "red", "suite").
`conversation` stands in request, stream, reply, usage, tool_call and tool_result: several may run side by side. A
`stream` comes before the `reply` whose text and reasoning it is a part of, and stays where none came.
"""
