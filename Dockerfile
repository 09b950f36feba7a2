# The action's image: one static binary and the CA roots, nothing that could run anything else.
# Both platforms are cross-compiled on the builder's own, so no step runs under emulation. Ready
# binaries take the place of the stage `build` with `--build-context build=DIR`, where DIR holds
# what it leaves in /out (tests/parts/action-image does that where no base image can be pulled).
# It is published with layers of zstd, which Docker takes since 23 and which are a sixth smaller than with gzip:
# --output type=image,push=true,oci-mediatypes=true,compression=zstd,compression-level=22,force-compression=true
FROM --platform=$BUILDPLATFORM rust:1.95.0-bookworm AS build
ARG BUILDARCH
ARG TARGETARCH
WORKDIR /src
# `ring` has C in it. A foreign target needs that target's compiler; the linker comes with Rust.
RUN case "$TARGETARCH" in \
      amd64) echo x86_64-unknown-linux-musl x86-64-linux-gnu >/target ;; \
      arm64) echo aarch64-unknown-linux-musl aarch64-linux-gnu >/target ;; \
      *) echo "no target for \`$TARGETARCH\`" >&2; exit 1 ;; \
    esac; \
    read -r triple gnu </target; \
    packages=musl-tools; \
    [ "$BUILDARCH" = "$TARGETARCH" ] || packages="gcc-$gnu libc6-dev-$TARGETARCH-cross"; \
    apt-get update -qq && apt-get install -qqy --no-install-recommends $packages && rm -rf /var/lib/apt/lists/* && \
    rustup target add "$triple"
COPY rust-toolchain.toml Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY src src
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,id=target-$TARGETARCH \
    read -r triple gnu </target; \
    if [ "$BUILDARCH" != "$TARGETARCH" ]; then \
      export "CC_$(echo "$triple" | tr - _)=$gnu-gcc"; \
    fi; \
    cargo build --locked --release --bin docker-push-action --target "$triple" && \
    install -D "target/$triple/release/docker-push-action" "/out/linux_$TARGETARCH/docker-push-action" && \
    cp /etc/ssl/certs/ca-certificates.crt /out/

FROM scratch
ARG TARGETARCH
COPY --from=build /out/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/linux_${TARGETARCH}/docker-push-action /docker-push-action
ENTRYPOINT ["/docker-push-action"]
