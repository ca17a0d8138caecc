# The demo, which becomes part of the binary.
FROM node:20-bookworm-slim AS demo
WORKDIR /build/client-demo
COPY client-demo/package.json client-demo/package-lock.json ./
RUN npm ci
COPY client-demo ./
RUN npm run build

FROM rust:1.95-bookworm AS server
WORKDIR /build
COPY Cargo.toml Cargo.lock build.rs ./
COPY src src
COPY migrations migrations
# A member of the workspace: cargo wants to see it, and builds nothing of it.
COPY bench bench
COPY --from=demo /build/client-demo/dist client-demo/dist
# The browser's client, served at /socket.io/socket.io.js.
COPY --from=demo /build/client-demo/node_modules/socket.io-client/dist client-demo/node_modules/socket.io-client/dist
COPY --from=demo /build/client-demo/node_modules/socket.io-client/package.json client-demo/node_modules/socket.io-client/
RUN cargo build --release --locked --bin sockeye

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --no-create-home sockeye && install -d -o sockeye /data
COPY --from=server /build/target/release/sockeye /usr/local/bin/sockeye
# A sockeye.toml mounted here is read; the two variables below go over it.
WORKDIR /etc/sockeye
ENV SOCKEYE_LISTEN=0.0.0.0:8000 SOCKEYE_DATA=/data
USER sockeye
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s CMD ["sockeye", "health"]
CMD ["sockeye"]
