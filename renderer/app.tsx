import { useEffect, useMemo, useState } from 'react';
import { I18nProvider } from 'react-aria-components';
import type { Commands } from '../core/ipc.ts';
import { languageOf, textIn } from '../core/text/index.ts';
import { formatIn } from './format.ts';
import { type Frame, FrameContext, type View } from './frame.ts';
import { useMedia } from './hooks.ts';
import { Navigation } from './parts/navigation.tsx';
import { type Mirror, useMirror } from './store.ts';
import { Activity } from './views/activity.tsx';
import { Earnings } from './views/earnings.tsx';
import { Limits } from './views/limits.tsx';
import { Opening } from './views/opening.tsx';
import { Overview } from './views/overview.tsx';
import { ProofPage } from './views/proof.tsx';
import { SettingsView } from './views/settings.tsx';
import { WalletPage } from './views/wallet.tsx';

const PAGES: Readonly<Record<View, () => React.JSX.Element>> = {
  overview: Overview,
  earnings: Earnings,
  limits: Limits,
  activity: Activity,
  wallet: WalletPage,
  proof: ProofPage,
  settings: SettingsView,
};

export function App({ mirror, commands }: { readonly mirror: Mirror; readonly commands: Commands }) {
  const { snapshot, lost } = useMirror(mirror);
  const [view, setView] = useState<View>('overview');
  const systemDark = useMedia('(prefers-color-scheme: dark)');

  const language = languageOf(snapshot?.settings.language ?? 'system', navigator.language);
  const chosen = snapshot?.settings.theme ?? 'system';
  const theme = chosen === 'system' ? (systemDark ? 'dark' : 'light') : chosen;
  const text = textIn(language);
  const format = useMemo(() => formatIn(language), [language]);
  const title = text.window.frame[view];

  useEffect(() => {
    document.documentElement.lang = language;
    document.documentElement.dataset['theme'] = theme;
    document.title = `${title} – Idlemesh`;
  }, [language, theme, title]);

  if (snapshot === null) return <Opening text={text} lost={lost} />;

  const frame: Frame = { snapshot, commands, language, text, format, go: setView };
  const Page = PAGES[view];
  return (
    <I18nProvider locale={format.locale}>
      <FrameContext value={frame}>
        <div className="frame">
          <a className="skip" href="#content">
            {text.window.frame.skip}
          </a>
          <Navigation view={view} />
          <main className="content" id="content" tabIndex={-1} key={view}>
            <Page />
          </main>
        </div>
      </FrameContext>
    </I18nProvider>
  );
}
