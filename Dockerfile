# docker build -t soe-write-gateway .
# The base is pinned by digest; --build-arg PYTHON_IMAGE=… takes another with Python 3.11 or newer.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
# Without a compiler the image is built all the same, and reading a post costs half as much again.
# hadolint ignore=DL3008
RUN { apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev; } || echo "there is no compiler"
RUN python3 -m venv /build && python3 -m venv --without-pip /opt/soe-gateway
COPY requirements/build.txt requirements/run.txt requirements/
RUN /build/bin/pip install --require-hashes -r requirements/build.txt \
 && /build/bin/pip --python /opt/soe-gateway/bin/python install --require-hashes --only-binary :all: -r requirements/run.txt \
 && find /opt/soe-gateway -depth -type d -name tests -path '*/numpy/*' -exec rm -r {} +
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY policies policies
RUN /build/bin/pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/soe-gateway/bin/python install --no-deps --no-index /wheels/*.whl \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/soe-gateway

# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE}
ARG VERSION=0
ARG REVISION=
LABEL org.opencontainers.image.title="soe-write-gateway" \
      org.opencontainers.image.description="The reverse proxy that judges what integrations write to Stack Overflow Enterprise" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/soe-gateway /opt/soe-gateway
COPY --from=build --chown=10001:10001 /var/lib/soe-gateway /var/lib/soe-gateway
# The admin listener stays on the loopback: whoever wants it outside says so.
ENV PATH=/opt/soe-gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    SOE_GATEWAY_SERVER_LISTEN=0.0.0.0:8080 \
    SOE_GATEWAY_DATA_DIRECTORY=/var/lib/soe-gateway
WORKDIR /var/lib/soe-gateway
VOLUME /var/lib/soe-gateway
USER 10001:10001
EXPOSE 8080 9180
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --retries=3 CMD ["soe-gateway", "healthcheck"]
ENTRYPOINT ["soe-gateway"]
CMD ["serve"]
