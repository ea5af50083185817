#!/usr/bin/env bash
# Makes the files of the console that are not ours, from the versions that
# package-lock.json pins. Needs node with npm. The files are checked in, so that
# a build of Stocktake needs neither; run this after a change of a version.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund
cp node_modules/htmx.org/dist/htmx.min.js node_modules/htmx.org/dist/ext/hx-sse.min.js ..
node_modules/.bin/esbuild echarts.js --bundle --minify --format=iife --global-name=echarts --legal-comments=none \
	--define:process.env.NODE_ENV='"production"' --outfile=echarts.min.js
gzip -9 -n -c echarts.min.js > ../echarts.min.js.gz
cp node_modules/echarts/LICENSE ../LICENSE.echarts
cp node_modules/echarts/NOTICE ../NOTICE.echarts
cp node_modules/zrender/LICENSE ../LICENSE.zrender
cp node_modules/htmx.org/LICENSE ../LICENSE.htmx
rm -rf node_modules echarts.min.js
