import type { Presence } from '../../core/snapshot.ts';
import { useFrame } from '../frame.ts';

type Point = { readonly x: number; readonly y: number };

const CENTRE = 200;
const NODES = 55;
const SPREAD = 23.5;
/** The sunflower's angle: neighbours on its spirals differ by Fibonacci numbers, which makes the mesh. */
const GOLDEN_ANGLE = Math.PI * (3 - Math.sqrt(5));
const INNERMOST = 5;

const round = (value: number): number => Math.round(value * 10) / 10;

const POINTS: readonly Point[] = Array.from({ length: NODES }, (_, at) => {
  const radius = SPREAD * Math.sqrt(at + 0.5);
  const angle = at * GOLDEN_ANGLE;
  return { x: round(CENTRE + radius * Math.cos(angle)), y: round(CENTRE + radius * Math.sin(angle)) };
});

/** Every spiral of one family, from the middle outwards, as path data. */
function spirals(stride: number): readonly string[] {
  return Array.from({ length: stride }, (_, first) =>
    POINTS.filter((_point, at) => at >= INNERMOST && at % stride === first)
      .map(({ x, y }, at) => `${at === 0 ? 'M' : 'L'}${x} ${y}`)
      .join(''),
  );
}

const THREADS = [...spirals(8), ...spirals(5)];
const PULSES = spirals(8);

const CORE = 44;
const RING_GAP = 9;
const RINGS_SHOWN = 3;

function Ring({ index, part, kind }: { readonly index: number; readonly part: number; readonly kind: string }) {
  const radius = CORE + 10 + index * RING_GAP;
  return (
    <g className={`mesh-ring mesh-ring-${kind}`} transform={`rotate(-90 ${CENTRE} ${CENTRE})`}>
      <circle className="mesh-ring-track" cx={CENTRE} cy={CENTRE} r={radius} />
      <circle
        className="mesh-ring-part"
        cx={CENTRE}
        cy={CENTRE}
        r={radius}
        pathLength={100}
        strokeDasharray={`${Math.max(0.5, Math.min(100, part * 100))} 100`}
      />
    </g>
  );
}

const SIGNS: Readonly<Record<Presence, string>> = {
  sharing: 'M190 186l14 14l-14 14M204 186l14 14l-14 14',
  waiting: 'M200 182v20l12 8',
  paused: 'M192 186v28M208 186v28',
  attention: 'M200 182v22M200 216h.01',
};

/**
 * The machine in its mesh. Light runs outwards while it shares, the mesh breathes while it waits, stands still while it is
 * paused and comes apart when something needs attention. Rings around the core are work in progress, or the time until
 * sharing begins (`countdown`, 1 → 0).
 */
export function Mesh({ countdown }: { readonly countdown: number | null }) {
  const { snapshot, text } = useFrame();
  const { presence, running } = snapshot;
  return (
    <svg
      className="mesh"
      viewBox="0 0 400 400"
      data-presence={presence}
      role="img"
      aria-label={text.window.overview.motif(text.presence(presence))}
    >
      <g>
        {THREADS.map((path) => (
          <path className="mesh-thread" key={path} d={path} />
        ))}
      </g>
      {presence === 'sharing' ? (
        <g>
          {PULSES.map((path, at) => (
            <path className="mesh-pulse" key={path} d={path} pathLength={100} data-beat={at % 4} />
          ))}
        </g>
      ) : null}
      <g>
        {POINTS.slice(INNERMOST).map(({ x, y }, at) => (
          <circle
            className="mesh-node"
            key={`${x} ${y}`}
            cx={x}
            cy={y}
            r={at % 5 === 0 ? 3.4 : 2.2}
            data-beat={at % 4}
          />
        ))}
      </g>
      <circle className="mesh-veil" cx={CENTRE} cy={CENTRE} r={CORE + 36} />
      <circle className="mesh-core" cx={CENTRE} cy={CENTRE} r={CORE} />
      <path className="mesh-sign" d={SIGNS[presence]} />
      {running.slice(0, RINGS_SHOWN).map((job, at) => (
        <Ring key={job.leaseId} index={at} part={job.progress} kind={job.phase === 'frozen' ? 'frozen' : 'work'} />
      ))}
      {running.length === 0 && countdown !== null ? <Ring index={0} part={countdown} kind="countdown" /> : null}
    </svg>
  );
}
