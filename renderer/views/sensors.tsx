import { useFrame } from '../frame.ts';

/** Which source each sensor reads, and what is never recorded. */
export function Sensors() {
  const { snapshot, text } = useFrame();
  const words = text.window.sensors;
  return (
    <section className="panel" aria-labelledby="sensors">
      <h2 id="sensors">{words.title}</h2>
      <p className="meaning">{words.never}</p>
      {snapshot.sensors.length === 0 ? <p className="meaning">{words.none}</p> : null}
      <dl className="sensor-list">
        {snapshot.sensors.map(({ sensor, state, sources }) => (
          <div key={sensor}>
            <dt>{words.name(sensor)}</dt>
            <dd className="meaning" data-state={state}>
              {words.states[state]}
              {state === 'unavailable' || sources.length === 0 ? null : ` · ${words.through(sources.join(', '))}`}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
