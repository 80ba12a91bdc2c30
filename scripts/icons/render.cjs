// Draws SVG files into PNG files of given sizes with Electron's own renderer.
// Usage: electron render.cjs '[{"svg": "a.svg", "png": "a-16.png", "size": 16}, …]'
'use strict';
const { app, BrowserWindow } = require('electron');
const { readFileSync, writeFileSync } = require('node:fs');

app.disableHardwareAcceleration();
app.commandLine.appendSwitch('force-device-scale-factor', '1');

async function main() {
  await app.whenReady();
  const window = new BrowserWindow({ show: false, webPreferences: { sandbox: true, contextIsolation: true } });
  await window.loadURL('data:text/html,<title>icons</title>');
  for (const { svg, png, size } of JSON.parse(process.argv.at(-1))) {
    const source = `data:image/svg+xml;base64,${readFileSync(svg).toString('base64')}`;
    const url = await window.webContents.executeJavaScript(`(async () => {
      const image = new Image();
      image.src = ${JSON.stringify(source)};
      await image.decode();
      const canvas = new OffscreenCanvas(${size}, ${size});
      const pen = canvas.getContext('2d');
      pen.imageSmoothingQuality = 'high';
      pen.drawImage(image, 0, 0, ${size}, ${size});
      const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/png' })).arrayBuffer());
      let text = '';
      for (const byte of bytes) text += String.fromCharCode(byte);
      return btoa(text);
    })()`);
    writeFileSync(png, Buffer.from(url, 'base64'));
  }
}

main().then(
  () => app.exit(0),
  (error) => {
    process.stderr.write(`${error.stack}\n`);
    app.exit(1);
  },
);
