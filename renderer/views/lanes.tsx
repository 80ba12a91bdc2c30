import { isJobLane } from '../../core/primitives.ts';
import { laneLines } from '../../core/text/lanes.ts';
import { momentAt } from '../format.ts';
import { useFrame } from '../frame.ts';
import { useNow } from '../hooks.ts';

/** A sentence for each lane, and for each graphics card; the time left counts down here, without asking anyone. */
export function Lanes() {
  const { snapshot, text, format } = useFrame();
  const now = useNow();
  const words = text.window.lanes;
  // What is lent has a card of its own.
  const lines = laneLines(snapshot, text, () => momentAt(now)).filter(({ lane }) => isJobLane(lane));
  if (lines.length === 0) return null;
  return (
    <section aria-labelledby="lanes-now">
      <h2 className="unseen" id="lanes-now">
        {words.title}
      </h2>
      <ul className="lane-lines">
        {lines.map(({ key, name, says, decision, heldSince }) => (
          <li key={key} className="lane-line" data-runs={decision.kind === 'run'}>
            <span className="lane-name">{name}</span>
            <span className="lane-says">{says}</span>
            {decision.kind === 'hold' && heldSince !== null && now > heldSince ? (
              <span className="meaning lane-held">{words.held(format.span(now - heldSince))}</span>
            ) : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
