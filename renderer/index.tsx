import './styles/tokens.css';
import './styles/base.css';
import './styles/frame.css';
import './styles/parts.css';
import './styles/controls.css';
import './styles/hero.css';
import './styles/mesh.css';
import './styles/overview.css';
import './styles/work.css';
import './styles/earnings.css';
import './styles/history.css';
import './styles/wallet.css';
import './styles/sharing.css';
import './styles/activity.css';
import './styles/proof.css';
import './styles/doctor.css';
import './styles/lending.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import type { Bridge } from '../core/ipc.ts';
import { App } from './app.tsx';
import { connect, createMirror } from './store.ts';

declare global {
  interface Window {
    /** Put there by the preload script; all that this window may reach. */
    readonly idlemesh: Bridge;
  }
}

const root = document.getElementById('root');
if (root !== null) {
  const mirror = createMirror();
  const stop = connect(mirror, window.idlemesh);
  window.addEventListener('pagehide', stop, { once: true });
  createRoot(root).render(
    <StrictMode>
      <App mirror={mirror} commands={window.idlemesh.commands} />
    </StrictMode>,
  );
}
