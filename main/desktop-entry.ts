/** One word of an Exec line, quoted as the Desktop Entry Specification asks: first for the argument, then for the string. */
const quoted = (word: string): string => {
  const argument = word.replaceAll('%', '%%').replace(/["`$\\]/g, (sign) => `\\${sign}`);
  return `"${argument.replaceAll('\\', '\\\\')}"`;
};

/** An autostart entry of the freedesktop.org kind that runs `command`. */
export const autostartEntry = (command: readonly string[]): string =>
  [
    '[Desktop Entry]',
    'Type=Application',
    'Version=1.0',
    'Name=Idlemesh',
    'Comment=Lends this machine while it is idle',
    `Exec=${command.map(quoted).join(' ')}`,
    'Terminal=false',
    'X-GNOME-Autostart-enabled=true',
    '',
  ].join('\n');
