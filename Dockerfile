# vipchaos without root: `vipchaos ship`, `report`, `check`. What needs more is told where it is started
# (docker-compose.yml): agents NET_RAW and NET_ADMIN as uid 0, the lab a privileged container.
FROM python:3.11.11-slim-bookworm AS build
WORKDIR /src
COPY requirements.txt ./
RUN python -m venv /opt/vipchaos \
 && /opt/vipchaos/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY store store
COPY probe probe
COPY chaos chaos
COPY lab lab
COPY dashboards dashboards
COPY tui tui
COPY cli cli
COPY experiments experiments
RUN /opt/vipchaos/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.11.11-slim-bookworm AS vipchaos
RUN apt-get update \
 && apt-get install -y --no-install-recommends iproute2 nftables tcpdump \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/vipchaos --create-home vipchaos
COPY --from=build /opt/vipchaos /opt/vipchaos
ENV PATH=/opt/vipchaos/bin:$PATH VIPCHAOS_HOME=/var/lib/vipchaos PYTHONUNBUFFERED=1
USER 10001
VOLUME /var/lib/vipchaos
ENTRYPOINT ["vipchaos"]
CMD ["--help"]

# The lab runs real routing and load balancing daemons in namespaces of its own.
FROM vipchaos AS lab
USER 0
RUN apt-get update \
 && RUNLEVEL=1 apt-get install -y --no-install-recommends bird2 keepalived conntrackd conntrack haproxy nginx openssl procps \
 && rm -rf /var/lib/apt/lists/*
CMD ["demo"]
