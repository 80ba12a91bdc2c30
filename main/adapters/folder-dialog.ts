import { BrowserWindow, dialog } from 'electron';

/** The system's own dialog for a folder, above the window where there is one; null: nothing was chosen. */
export async function chooseFolder(title: string): Promise<string | null> {
  const options = { title, properties: ['openDirectory', 'createDirectory'] } satisfies Electron.OpenDialogOptions;
  const above = BrowserWindow.getFocusedWindow() ?? BrowserWindow.getAllWindows()[0];
  const { canceled, filePaths } = await (above === undefined
    ? dialog.showOpenDialog(options)
    : dialog.showOpenDialog(above, options));
  return canceled ? null : (filePaths[0] ?? null);
}
