# The image of the action: grokfix in a virtual environment of its own, beside git, and nothing to build anything with.
# A release pins the base by digest (--build-arg BASE=python:3.13-slim@sha256:…); a build from a branch takes today's.
ARG BASE=python:3.13-slim

FROM ${BASE} AS dependencies
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Without the extra xai: 39 MB more for models that the OpenAI protocol reaches as well (docs/dependencies.md).
# Compiled files are not compared with their sources at import: nothing in an image changes, and the same sources give
# the same bytes.
COPY pyproject.toml ./
RUN wanted() { python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))$1)"; } \
 && python -m venv --without-pip /opt/grokfix \
 && pip install --quiet $(wanted "['build-system']['requires']") \
 && pip --python /opt/grokfix/bin/python install --quiet --no-compile $(wanted "['project']['dependencies']") \
 && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/grokfix

# Our own code apart, below a prefix that is laid over the environment: a change of it makes one small layer anew.
FROM dependencies AS project
COPY README.md LICENSE ./
COPY bot bot
RUN pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /opt/grokfix/bin/python install --quiet --no-deps --no-compile --prefix /project /wheels/*.whl \
 && python -m compileall -q --invalidation-mode unchecked-hash -s /project -p /opt/grokfix /project

FROM ${BASE}
# git without what is never asked of it here: its Perl modules, servers, mail, manuals and translations.
RUN apt-get update -qq \
 && apt-get install -qq --yes --no-install-recommends \
      -o Dpkg::Options::=--path-exclude=/usr/share/perl/* \
      -o Dpkg::Options::=--path-exclude=/usr/share/perl5/* \
      -o Dpkg::Options::=--path-exclude=/usr/lib/*/perl/* \
      -o Dpkg::Options::=--path-exclude=/usr/lib/*/libperl.so.* \
      -o Dpkg::Options::=--path-exclude=/usr/lib/git-core/git-daemon \
      -o Dpkg::Options::=--path-exclude=/usr/lib/git-core/git-http-[bfp]* \
      -o Dpkg::Options::=--path-exclude=/usr/lib/git-core/git-imap-send \
      -o Dpkg::Options::=--path-exclude=/usr/lib/git-core/git-shell \
      -o Dpkg::Options::=--path-exclude=/usr/lib/git-core/scalar \
      -o Dpkg::Options::=--path-exclude=/usr/bin/scalar \
      -o Dpkg::Options::=--path-exclude=/usr/share/man/* \
      -o Dpkg::Options::=--path-exclude=/usr/share/locale/* \
      -o Dpkg::Options::=--path-exclude=/usr/share/doc/* \
      -o Dpkg::Options::=--path-include=/usr/share/doc/*/copyright \
      git \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old \
      /var/log/apt /var/log/dpkg.log
COPY --from=dependencies /opt/grokfix /opt/grokfix
COPY --from=project /project /opt/grokfix
LABEL org.opencontainers.image.title="grokfix" \
      org.opencontainers.image.description="Repairs failing tests and proves it: red, then green" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://github.com/grokfix/grokfix"
# No USER: the runner's files and the Docker socket, through which the sandbox is started, belong to root.
# No shell: inputs arrive as INPUT_MAX-ATTEMPTS, a name that shells drop. -I: what an earlier step put into PYTHONPATH
# must not bring code of the checkout into this process. -u: the log is read while the run goes on.
ENTRYPOINT ["/opt/grokfix/bin/python", "-I", "-u", "/opt/grokfix/bin/grokfix", "action"]
