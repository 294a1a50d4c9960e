# The gateway's image. Four stages: base; artefacts (the training environment exports the encoder); venv (the gateway's
# packages, the demonstration model, the small judge and the index); runtime (what ships: no torch, no pip cache, no root).
#
# Build:   docker build -t clinalign-gateway .
# Run:     docker run --read-only --tmpfs /tmp -p 8080:8080 -e CLINALIGN_API_KEYS=... clinalign-gateway
#          -e CLINALIGN_SMALL_JUDGE_DIR=/opt/clinalign/judge puts the small judge beside the model's own

# For a build that can be repeated to the byte, add the digest that your registry shows:
#   --build-arg PYTHON_IMAGE=python:3.11-slim@sha256:<digest>
ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS base
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
# llama.cpp's wheel links OpenMP without carrying it; the other wheels bring their own.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*


FROM base AS artefacts
# Where torch's CPU wheels come from, if the default index only has CUDA builds (several GB more).
ARG PIP_EXTRA_INDEX_URL=""
WORKDIR /build
COPY requirements/training.txt requirements/training.txt
RUN pip install -r requirements/training.txt
COPY principles_store principles_store
COPY service service
COPY training training
RUN python -m training.encoder_export --out build/encoder


FROM base AS venv
WORKDIR /build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements/gateway.txt requirements/gateway.txt
RUN pip install -r requirements/gateway.txt
# Only what serves goes into the wheel: `train` and `load` and the packages behind them stay out of the image.
COPY LICENSE README.md pyproject.toml ./
COPY principles_store principles_store
COPY service service
RUN sed -i '/^\[project\.entry-points/,/^$/d' pyproject.toml \
    && pip install --no-deps . \
    && pip check
COPY training training
RUN mkdir -p /opt/clinalign \
    && python -m training.gguf training/checkpoints/clinalign-demo /opt/clinalign/demo.gguf
COPY --from=artefacts /build/build/encoder /opt/clinalign/encoder
COPY principles_store/principles /opt/clinalign/principles
# There for who wants it as a second judge. No variable names it, since naming it is what puts it to work.
COPY training/checkpoints/clinalign-judge /opt/clinalign/judge
ENV CLINALIGN_ENCODER_DIR=/opt/clinalign/encoder \
    CLINALIGN_INDEX_DIR=/opt/clinalign/index \
    CLINALIGN_PRINCIPLES_DIR=/opt/clinalign/principles \
    CLINALIGN_SCREEN_DIR=/opt/clinalign/screen
# Both are written by the packages that will read them, so that their versions agree.
RUN clinalign principles build && clinalign screen build


FROM base AS runtime
LABEL org.opencontainers.image.title="clinalign-gateway" \
      org.opencontainers.image.description="Every answer drafted, judged against clinical principles, revised, and carrying the proof" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
# A number, not a name: Kubernetes can only prove runAsNonRoot from a number.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin clinalign \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/clinalign
COPY --from=venv /opt/venv /opt/venv
COPY --from=venv /opt/clinalign /opt/clinalign
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    CLINALIGN_ENCODER_DIR=/opt/clinalign/encoder \
    CLINALIGN_INDEX_DIR=/opt/clinalign/index \
    CLINALIGN_PRINCIPLES_DIR=/opt/clinalign/principles \
    CLINALIGN_SCREEN_DIR=/opt/clinalign/screen \
    CLINALIGN_GGUF=/opt/clinalign/demo.gguf \
    CLINALIGN_PORT=8080
WORKDIR /var/lib/clinalign
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
# Python's own client: the image has no curl. Kubernetes ignores this and uses the chart's probes.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, os, sys; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['CLINALIGN_PORT']), timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["clinalign", "serve"]
CMD ["--host", "0.0.0.0", "--port", "8080"]
