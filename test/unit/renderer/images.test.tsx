// @vitest-environment happy-dom
import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { textIn } from '../../../core/text/index.ts';
import { images } from '../../fakes/snapshots.ts';
import { aWindow, NOW, openWindow } from './open-window.tsx';

aWindow();
const LANGUAGES = ['en', 'ja'] as const;
const rows = (): readonly string[] =>
  [...document.querySelectorAll('.image-row')].map((row) => row.textContent.replace(/\s+/g, ' '));

describe.each(LANGUAGES)('the programs for work, in %s', (language) => {
  const words = textIn(language).window.images;
  const shown = images(NOW);

  it('are listed with their size, their state and what is in their way', async () => {
    await openWindow({ images: shown }, { view: 'limits', language });
    expect(rows()).toHaveLength(shown.length);
    shown.forEach((image, at) => {
      const row = rows()[at] ?? '';
      expect(row).toContain(image.title[language]);
      expect(row).toContain(words.states[image.state]);
      expect(row).toContain(words.bytes(image.bytes, image.state));
      if (image.obstacle !== null) expect(row).toContain(words.obstacle(image.obstacle, () => '').slice(0, 10));
    });
    const bar = screen.getByRole('progressbar', { name: words.progress(shown[1]?.title[language] ?? '') });
    expect(bar.getAttribute('aria-valuetext')).toBe('42%');
  });

  it('say how much disk they take, and leave out what the owner has himself', async () => {
    const own = { ...shown[0], ours: false, bytes: 5_000_000_000 } as (typeof shown)[number];
    await openWindow({ images: [...shown.slice(0, 1), own] }, { view: 'limits', language });
    expect(document.body.textContent).toContain(words.used(554_380_793));
    expect(rows()[1]).toContain(words.yours);
  });

  it('do not pass an unknown size for nothing', async () => {
    const unknown = { ...shown[0], bytes: null } as (typeof shown)[number];
    await openWindow({ images: [unknown] }, { view: 'limits', language });
    expect(rows()[0]).toContain(words.bytes(null, 'present'));
    expect(document.body.textContent).not.toContain(words.used(0));
  });

  it('are none where the catalogue lists none', async () => {
    await openWindow({ images: [] }, { view: 'limits', language });
    expect(document.body.textContent).toContain(words.none);
  });
});
