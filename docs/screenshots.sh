#!/usr/bin/env bash
# Makes the pictures of the documentation: reports in headless Chromium. Needs chromium on the path.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --release --quiet
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
shoot() { # scenario, picture, width, height, further flags of chromium
  "${CARGO_TARGET_DIR:-target}/release/seatrial" run "scenarios/$1.yaml" --report "$pages/$2.html" >/dev/null || true
  chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size="$3,$4" "${@:5}" \
    --screenshot="docs/images/$2.png" "file://$pages/$2.html" 2>/dev/null
}
shoot stories/rolling-update-drops-requests/trouble report 1100 2000
shoot rolling-update-node-loss report-phone 500 1500
shoot rolling-update-node-loss report-dark 1100 1300 --blink-settings=preferredColorScheme=0
