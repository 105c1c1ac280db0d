#!/usr/bin/env bash
# Makes the pictures of the documentation: reports and what commands print, in headless Chromium. Needs chromium on the path.
set -euo pipefail
cd "$(dirname "$0")/.."
seatrial=${SEATRIAL:-${CARGO_TARGET_DIR:-target}/release/seatrial}
[ -n "${SEATRIAL:-}" ] || cargo build --release --quiet
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT
shoot() { # scenario, picture, width, height, further flags of chromium
  "$seatrial" run "scenarios/$1.yaml" --report "$pages/$2.html" >/dev/null || true
  chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size="$3,$4" "${@:5}" \
    --screenshot="docs/images/$2.png" "file://$pages/$2.html" 2>/dev/null
}
# What a command prints on a terminal: its colours become spans.
terminal() { # picture, width, height, arguments of the command
  local picture=$1 width=$2 height=$3; shift 3
  {
    cat <<'HTML'
<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #1e2227; }
pre { margin: 18px 22px; color: #d5dae0; font: 14px/1.35 "DejaVu Sans Mono", monospace; }
.c1 { color: #fff; font-weight: bold; } .c31 { color: #f47067; } .c32 { color: #6bc46d; } .c33 { color: #daaa3f; } .c36 { color: #56d4dd; }
.prompt { color: #768390; }
</style><pre>
HTML
    printf '<span class="prompt">$</span> seatrial %s\n' "$*"
    CLICOLOR_FORCE=1 "$seatrial" "$@" |
      sed -e 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g' -e 's/\x1b\[0m/<\/span>/g; s/\x1b\[\([0-9]*\)m/<span class="c\1">/g' || true
    echo '</pre>'
  } >"$pages/$picture.html"
  chromium --headless=new --no-sandbox --disable-gpu --disable-background-networking --hide-scrollbars \
    --window-size="$width,$height" --screenshot="docs/images/$picture.png" "file://$pages/$picture.html" 2>/dev/null
}
terminal terminal-run 1110 850 run scenarios/bad-image-rolled-back.yaml
terminal terminal-get 1010 300 get pods -o wide --at 1m10s -f scenarios/rolling-update-node-loss.yaml
terminal terminal-describe 980 885 describe deployment web --at 1m20s -f scenarios/rolling-update-node-loss.yaml
terminal terminal-explain 1020 165 explain --from pod/client --to web --at 50s -f scenarios/why-no-answer-inside.yaml
shoot stories/rolling-update-drops-requests/trouble report 1100 1955
shoot rolling-update-node-loss report-phone 500 1275
shoot rolling-update-node-loss report-dark 1100 1190 --blink-settings=preferredColorScheme=0
