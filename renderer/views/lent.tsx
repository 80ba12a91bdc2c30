import { Button } from 'react-aria-components';
import type { BandwidthView, StorageView } from '../../core/lending.ts';
import type { Amount } from '../../core/money.ts';
import type { Known, Lane, UnixMs } from '../../core/primitives.ts';
import { isOffered } from '../../core/snapshot.ts';
import { momentAt } from '../format.ts';
import { useFrame } from '../frame.ts';
import { useNow } from '../hooks.ts';
import { Icon } from '../parts/icons.tsx';
import { Money } from '../parts/money.tsx';
import { useTraffic } from './lent-days.tsx';

const MIB = 1024 ** 2;
/** A file lies on sixteen machines: the shelf has as many columns. */
const COLUMNS = 16;
const ROWS = 3;
const SPARK_DAYS = 14;
/** The bars are asked for anew when so much more was handed out. */
const SPARK_STEP = 64 * MIB;

/** What a lane that lends does, in a sentence; why, where it is held. */
function useSays(lane: Lane, usual: string): string {
  const { snapshot, text } = useFrame();
  const now = useNow();
  const decision = snapshot.lanes.find((view) => view.lane === lane)?.decision;
  const tells = decision?.kind === 'hold' && decision.reason.kind !== 'lane-off';
  return tells ? `${text.reason(decision.reason, momentAt(now))} ${usual}` : usual;
}

type CardProps = {
  readonly lane: 'storage' | 'bandwidth';
  readonly view: StorageView | BandwidthView;
  readonly says: string;
  readonly children: React.ReactNode;
};

function Card({ lane, view, says, children }: CardProps) {
  const { text, go } = useFrame();
  const words = text.window.lend;
  const said = useSays(lane, says);
  const { state, earnedToday } = view;
  const id = `lent-${lane}`;
  return (
    <article className="lent-card" data-lane={lane} data-state={state} aria-labelledby={id}>
      <div className="lent-head">
        <h3 id={id}>{text.window.lane(lane)}</h3>
        <span className="lent-state">{words.state(state)}</span>
        {state === 'off' ? null : <Earned amount={earnedToday} />}
      </div>
      <p className="lent-says">{said}</p>
      {state === 'off' ? null : children}
      <Button className="link lent-link" onPress={() => go('limits')}>
        {state === 'off' ? words.begin : words.change}
        <Icon name="arrow" />
      </Button>
    </article>
  );
}

function Earned({ amount }: { readonly amount: Known<Amount> }) {
  const { text } = useFrame();
  return (
    <p className="lent-earned">
      <span className="meaning">{text.window.lend.earnedToday}</span> <Money amount={amount} />
    </p>
  );
}

function Payout({ at }: { readonly at: UnixMs | null }) {
  const { text, format } = useFrame();
  const words = text.window.lend;
  const now = useNow();
  const said = at === null ? words.payoutNone : at <= now ? words.payoutDue : words.payoutIn(format.span(at - now));
  return (
    <div>
      <dt>{words.payout}</dt>
      <dd>{said}</dd>
    </div>
  );
}

/** How full each place on the shelf is, 0..1, from the first on. */
export function places(usedBytes: number, lentBytes: number, count: number): readonly number[] {
  const full = lentBytes > 0 ? (Math.min(usedBytes, lentBytes) / lentBytes) * count : 0;
  return Array.from({ length: count }, (_, at) => Math.min(1, Math.max(0, full - at)));
}

/** The disk that is lent, as a shelf with places; what others use of it stands on it. */
function Shelf({ usedBytes, lentBytes }: Pick<StorageView, 'usedBytes' | 'lentBytes'>) {
  const { text, format } = useFrame();
  const words = text.window.lend;
  const all = format.memory(lentBytes / MIB);
  const used = usedBytes === 'unknown' ? text.window.unknown : format.memory(usedBytes / MIB);
  return (
    <div className="shelf-field">
      <p className="lent-figure">
        <span className="lent-number">{used}</span> <span className="meaning">{words.ofLent(all)}</span>
      </p>
      <svg
        className="shelf"
        viewBox={`0 0 ${COLUMNS * 10} ${ROWS * 10}`}
        role="img"
        aria-label={usedBytes === 'unknown' ? words.keptUnknown(all) : words.kept(used, all)}
      >
        {places(usedBytes === 'unknown' ? 0 : usedBytes, lentBytes, COLUMNS * ROWS).map((part, at) => {
          // Column by column, from the floor up.
          const [x, y] = [Math.floor(at / ROWS) * 10 + 1, (ROWS - 1 - (at % ROWS)) * 10 + 1];
          return (
            <g key={`${x} ${y}`}>
              <rect className="shelf-place" x={x} y={y} width={8} height={8} rx={1.6} />
              {part > 0 ? (
                <rect className="shelf-used" x={x} y={y + 8 * (1 - part)} width={8} height={8 * part} rx={1.6} />
              ) : null}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

/** The score on an open ring, as in the product's mark. */
function Score({ score, scoreReason }: Pick<StorageView, 'score' | 'scoreReason'>) {
  const { text, format } = useFrame();
  const words = text.window.lend;
  const said = score === null ? '–' : format.number(score * 100, 1);
  const tone = score === null ? 'none' : score >= 0.95 ? 'good' : score >= 0.8 ? 'fair' : 'poor';
  return (
    <div className="score" data-tone={tone}>
      <svg
        className="score-ring"
        viewBox="0 0 40 40"
        role="img"
        aria-label={score === null ? words.scoreNone : words.scoreSaid(said)}
      >
        <path className="score-track" d="M31.3 8.7A16 16 0 1 1 20 4" pathLength={100} />
        {score === null ? null : (
          <path
            className="score-part"
            d="M31.3 8.7A16 16 0 1 1 20 4"
            pathLength={100}
            strokeDasharray={`${score * 100} 100`}
          />
        )}
        <text className="score-said" x="20" y="20">
          {said}
        </text>
      </svg>
      <div>
        <p className="score-name">{score === null ? words.scoreNone : words.score}</p>
        <p className="meaning">{scoreReason === null ? words.scoreNoneMeaning : words.scoreReason(scoreReason)}</p>
      </div>
    </div>
  );
}

function Storage({ view }: { readonly view: StorageView }) {
  const { text, format } = useFrame();
  const words = text.window.lend;
  const { passed, failed } = view.audits;
  const count = (value: number): string => format.number(value);
  return (
    <Card lane="storage" view={view} says={words.storageSays(view.state)}>
      <Shelf usedBytes={view.usedBytes} lentBytes={view.lentBytes} />
      <Score score={view.score} scoreReason={view.scoreReason} />
      {view.suspendedUntil === null ? null : (
        <p className="lent-warning">{words.suspended(format.dateTime(view.suspendedUntil))}</p>
      )}
      <dl className="lent-facts">
        <Payout at={view.nextPayoutAt} />
        <div>
          <dt>{words.checks}</dt>
          <dd>{passed + failed === 0 ? words.checksNone : words.checksSaid(count(passed), count(failed))}</dd>
        </div>
      </dl>
    </Card>
  );
}

/** What was handed out on the last days; today stands out. */
function Spark({ servedToday }: { readonly servedToday: number }) {
  const { text } = useFrame();
  const { days } = useTraffic(SPARK_DAYS, Math.floor(servedToday / SPARK_STEP));
  const served = (days ?? []).map(({ dayStart, carriers }) => ({ dayStart, out: carriers.bandwidth.out }));
  const most = Math.max(1, ...served.map(({ out }) => out));
  return (
    <div className="spark" role="img" aria-label={text.window.lend.lastDays(SPARK_DAYS)}>
      {served.map(({ dayStart, out }) => (
        <span key={dayStart} className="spark-bar" style={{ height: `${(out / most) * 100}%` }} />
      ))}
    </div>
  );
}

function Bandwidth({ view }: { readonly view: BandwidthView }) {
  const { text, format } = useFrame();
  const words = text.window.lend;
  const { cachedBytes, cacheBytes, servedToday, sessions } = view;
  const cached = cachedBytes === 'unknown' ? text.window.unknown : format.memory(cachedBytes / MIB);
  const part = cachedBytes === 'unknown' || cacheBytes === 0 ? 0 : Math.min(1, cachedBytes / cacheBytes);
  return (
    <Card lane="bandwidth" view={view} says={words.bandwidthSays(view.state)}>
      <div className="served">
        <p className="lent-figure">
          <span className="lent-number">{format.memory(servedToday / MIB)}</span>{' '}
          <span className="meaning">{words.served}</span>
        </p>
        <Spark servedToday={servedToday} />
      </div>
      <div className="cache">
        <div className="cache-head">
          <span>{words.cache}</span>
          <span className="meaning">{words.cacheSaid(cached, format.memory(cacheBytes / MIB))}</span>
        </div>
        <div className="cache-track" aria-hidden="true">
          <div className="cache-fill" style={{ width: `${part * 100}%` }} />
        </div>
      </div>
      <dl className="lent-facts">
        <Payout at={view.nextPayoutAt} />
        <div>
          <dt>{words.readers}</dt>
          <dd>{words.readersSaid(sessions)}</dd>
        </div>
      </dl>
    </Card>
  );
}

/** Disk and line that are lent, or could be. */
export function Lent() {
  const { snapshot, text } = useFrame();
  const storage = isOffered(snapshot, 'storage') ? snapshot.storage : null;
  const bandwidth = isOffered(snapshot, 'bandwidth') ? snapshot.bandwidth : null;
  if (storage === null && bandwidth === null) return null;
  return (
    <section aria-labelledby="lent">
      <h2 id="lent">{text.window.lend.title}</h2>
      <div className="lent">
        {storage === null ? null : <Storage view={storage} />}
        {bandwidth === null ? null : <Bandwidth view={bandwidth} />}
      </div>
    </section>
  );
}
