# The image of the action: grokfix in a virtual environment of its own, beside git, and nothing to build anything with.
# A release pins the base by digest (--build-arg BASE=python:3.13-slim@sha256:…); a build from a branch takes today's.
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /source
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
# Dependencies in a layer of their own: a change of our code alone does not install them again.
COPY pyproject.toml ./
RUN python -m venv --without-pip /opt/grokfix \
 && python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
    > requirements.txt \
 && pip --python /opt/grokfix/bin/python install --no-compile --requirement requirements.txt \
 && /opt/grokfix/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/grokfix/lib
COPY README.md LICENSE ./
COPY bot bot
# Compiled without a look at the sources at import: nothing in an image changes.
RUN pip --python /opt/grokfix/bin/python install --no-compile --no-deps . \
 && /opt/grokfix/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/grokfix/lib/python3*/site-packages/bot

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
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old /var/log/apt /var/log/dpkg.log
COPY --from=build /opt/grokfix /opt/grokfix
LABEL org.opencontainers.image.title="grokfix" \
      org.opencontainers.image.description="Repairs failing tests and proves it: red, then green" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://github.com/grokfix/grokfix"
# No USER: the runner's files and the Docker socket that the sandbox is started through belong to root.
# No shell: inputs arrive as INPUT_MAX-ATTEMPTS, a name that shells drop. -I: an earlier step's PYTHONPATH must not
# bring code of the checkout into this process. -u: the log is read while the run goes on.
ENTRYPOINT ["/opt/grokfix/bin/python", "-I", "-u", "/opt/grokfix/bin/grokfix", "action"]
