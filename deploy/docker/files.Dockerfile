# An image of one region, from the package. In the top of the repository, after `make deb`:
#
#   docker build -f deploy/docker/files.Dockerfile -t daleks-files .build/deb
#
# It was written without an engine at hand: its syntax is checked by a test, and nobody has run it yet.
FROM debian:12-slim

COPY daleks-files_*.deb /packages/
RUN apt-get update \
    && apt-get install -y --no-install-recommends /packages/*.deb \
    && rm -rf /packages /var/lib/apt/lists/* \
    && useradd --system --uid 7400 --home-dir /var/lib/daleks-files daleks \
    && install -d -o daleks -m 0700 /var/lib/daleks-files

USER daleks
VOLUME /var/lib/daleks-files
EXPOSE 7402
ENV DALEKS_LISTEN=0.0.0.0 DALEKS_STATE=/var/lib/daleks-files
# Told to end, it answers what is under way for ten seconds.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7402 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q ' 200 ' <&3"]
ENTRYPOINT ["daleks-files"]
