# The commands of this project live here, once. CI calls them.

# Run the main example.
run:
    cargo run --release -- run scenarios/rolling-update-node-loss.yaml

# Run all tests.
test:
    cargo test --release

# All tests with random cases that nobody has seen yet (`cargo test` takes the same ones each time: .cargo/config.toml).
soak TIMES="10":
    for seed in $(shuf -i 1-1000000000 -n {{TIMES}}); do echo "PROPTEST_RNG_SEED=$seed" && PROPTEST_RNG_SEED=$seed cargo test --release || exit 1; done

# Only the conformance tests; SEATRIAL_CONFORMANCE_DIR=DIR takes another directory.
conformance:
    cargo test --release --test conformance

# A real kubectl against a served cluster (needs kubectl).
kubectl:
    cargo test --release --test it -- --ignored kubectl

# Formatting, lints, documentation.
lint:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --all-features

# The library as a test links it.
light:
    cargo build --lib --no-default-features

# Plants mutants in the built-in controllers, one after the other, in a copy of the tree; the property kit must find each.
mutants:
    bash tests/mutants/run

# All benchmarks.
bench:
    cargo bench

# The pictures in docs/images (needs chromium).
screenshots:
    bash docs/screenshots.sh

# Licences and advisories (needs cargo-deny).
deny:
    cargo deny check

# What a release is checked for (needs cargo-deny and cargo-semver-checks); REV = the release before.
publish-check REV="":
    cargo publish --dry-run
    ! cargo package --list --allow-dirty | grep -E '^(tests|benches|fuzz|xtask)/|\.snap$'
    cargo deny --all-features check
    if [ -n "{{REV}}" ]; then cargo semver-checks --baseline-rev {{REV}}; fi
    cargo tree -e normal --depth 1

# Everything that CI checks.
ci:
    bash .ci/run
