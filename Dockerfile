# The demo, which becomes part of the binary.
FROM node:20-bookworm-slim AS demo
WORKDIR /build/client-demo
COPY client-demo/package.json client-demo/package-lock.json ./
RUN npm ci
COPY client-demo ./
RUN npm run build

FROM rust:1.95-bookworm AS server
WORKDIR /build
# The dependencies alone, with stand-ins for our own code: this layer is built anew when the lock file changes, not
# with every line of code. The benchmark is a member of the workspace: cargo wants to see it, and builds nothing of it.
COPY Cargo.toml Cargo.lock ./
COPY bench/Cargo.toml bench/
RUN mkdir src bench/src \
 && echo 'fn main() {}' | tee src/main.rs > bench/src/main.rs \
 && echo '' > src/lib.rs \
 && cargo build --release --locked --bin sockeye \
 && rm -r src
COPY build.rs ./
COPY src src
COPY migrations migrations
COPY --from=demo /build/client-demo/dist client-demo/dist
# The browser's client, served at /socket.io/socket.io.js.
COPY --from=demo /build/client-demo/node_modules/socket.io-client/dist client-demo/node_modules/socket.io-client/dist
COPY --from=demo /build/client-demo/node_modules/socket.io-client/package.json client-demo/node_modules/socket.io-client/
# Cargo goes by times, and files may be older here than their stand-ins.
RUN touch src/main.rs src/lib.rs && cargo build --release --locked --bin sockeye

FROM debian:bookworm-slim
RUN groupadd --system --gid 10001 sockeye \
 && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin sockeye \
 && install -d -o 10001 -g 10001 /data
COPY --from=server /build/target/release/sockeye /usr/local/bin/sockeye
# A sockeye.toml mounted here is read; the two variables below go over it.
WORKDIR /etc/sockeye
ENV SOCKEYE_LISTEN=0.0.0.0:8000 SOCKEYE_DATA=/data
# As numbers: Kubernetes' runAsNonRoot cannot tell that a name is not root's.
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s CMD ["sockeye", "health"]
CMD ["sockeye"]
