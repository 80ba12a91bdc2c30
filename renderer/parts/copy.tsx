import { useEffect, useState } from 'react';
import { Button } from 'react-aria-components';
import { useFrame } from '../frame.ts';
import { Icon } from './icons.tsx';

const SHOWN_MS = 2000;

/** The older way stands in where the clipboard's own interface is refused. */
async function writeClipboard(value: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    const field = document.createElement('textarea');
    field.value = value;
    field.className = 'unseen';
    document.body.append(field);
    field.select();
    const copied = document.execCommand('copy');
    field.remove();
    return copied;
  }
}

export function CopyButton({ value, what }: { readonly value: string; readonly what: string }) {
  const { text } = useFrame();
  const words = text.window.frame;
  const [result, setResult] = useState<boolean | null>(null);
  useEffect(() => {
    if (result === null) return;
    const timer = setTimeout(() => setResult(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [result]);
  return (
    <span className="copy">
      <Button
        className="button button-icon"
        aria-label={words.copy(what)}
        onPress={() => {
          void writeClipboard(value).then(setResult);
        }}
      >
        <Icon name={result === true ? 'check' : 'copy'} />
      </Button>
      <span className="copy-said" role="status">
        {result === null ? '' : result ? words.copied : words.copyRefused}
      </span>
    </span>
  );
}
