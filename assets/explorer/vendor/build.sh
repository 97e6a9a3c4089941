#!/usr/bin/env bash
# Make ../twgl.min.js and its licence again from the package registry, by the versions and digests of package-lock.json.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
cp "$here"/package.json "$here"/package-lock.json "$here"/twgl_used.js "$place"
cd "$place"
npm ci --silent --no-fund --no-audit
version="$(node -p 'require("twgl.js/package.json").version')"
npx esbuild twgl_used.js --bundle --minify --format=iife --global-name=twgl --target=es2020 --log-level=error \
    --legal-comments=none --banner:js="/* twgl.js $version, MIT, see twgl.LICENSE.md */" --outfile="$here/../twgl.min.js"
cp node_modules/twgl.js/LICENSE.md "$here/../twgl.LICENSE.md"
