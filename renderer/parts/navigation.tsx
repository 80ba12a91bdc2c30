import { useFrame, VIEWS, type View } from '../frame.ts';
import { Icon, Mark } from './icons.tsx';

export function Navigation({ view }: { readonly view: View }) {
  const { snapshot, text, go } = useFrame();
  const words = text.window;
  return (
    <nav className="rail" aria-label={words.frame.navigation}>
      <div className="brand">
        <Mark />
        <span className="brand-name">Idlemesh</span>
      </div>
      <ul className="rail-list">
        {VIEWS.map((name) => (
          <li key={name}>
            <button
              type="button"
              className="rail-item"
              aria-current={name === view ? 'page' : undefined}
              onClick={() => go(name)}
            >
              <Icon name={name} />
              <span>{words.frame[name]}</span>
            </button>
          </li>
        ))}
      </ul>
      <dl className="rail-links">
        <div data-state={snapshot.coordinator.kind === 'connected' ? 'good' : 'poor'}>
          <dt>{snapshot.network?.name ?? words.frame.network}</dt>
          <dd>{words.coordinator(snapshot.coordinator)}</dd>
        </div>
        <div data-state={snapshot.engine.kind === 'ready' ? 'good' : 'poor'}>
          <dt>{words.frame.engine}</dt>
          <dd>{words.engine(snapshot.engine)}</dd>
        </div>
      </dl>
    </nav>
  );
}
