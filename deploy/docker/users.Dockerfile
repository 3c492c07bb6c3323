# An image of the users service, from the package. In the top of the repository, after `make deb`:
#
#   docker build -f deploy/docker/users.Dockerfile -t daleks-users .build/deb
#
# It was written without an engine at hand: its syntax is checked by a test, and nobody has run it yet.
FROM debian:12-slim

COPY daleks-users_*.deb /packages/
RUN apt-get update \
    && apt-get install -y --no-install-recommends /packages/*.deb \
    && rm -rf /packages /var/lib/apt/lists/* \
    && useradd --system --uid 7400 --home-dir /var/lib/daleks-users daleks \
    && install -d -o daleks -m 0700 /var/lib/daleks-users

USER daleks
VOLUME /var/lib/daleks-users
EXPOSE 7401
ENV DALEKS_LISTEN=0.0.0.0 DALEKS_STATE=/var/lib/daleks-users
# Told to end, it answers what is under way for ten seconds.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7401 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q ' 200 ' <&3"]
ENTRYPOINT ["daleks-users"]
