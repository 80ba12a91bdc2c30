import { app, type Session } from 'electron';
import { isOurPage, SCHEME } from './content.ts';

/** No page of ours ever leaves its address, opens another, or holds a web view, whatever it was made to run. */
export function lockContents(): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.setWindowOpenHandler(() => ({ action: 'deny' }));
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.on('will-navigate', (event) => {
      if (!isOurPage(event.url)) event.preventDefault();
    });
    contents.on('will-redirect', (event) => event.preventDefault());
  });
}

/** No permission, no device, no request but to our own scheme. */
export function lockSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event) => event.preventDefault());
  session.webRequest.onBeforeRequest((details, answer) => {
    const ours = details.url.startsWith(`${SCHEME}://`) || details.url.startsWith('devtools://');
    answer({ cancel: !ours && !details.url.startsWith('data:') });
  });
}
