import { Button } from 'react-aria-components';
import { type Amount, sum } from '../../core/money.ts';
import type { RunningJob } from '../../core/snapshot.ts';
import { useFrame } from '../frame.ts';
import { useRising } from '../hooks.ts';
import { Icon } from '../parts/icons.tsx';
import { Money } from '../parts/money.tsx';
import { Hero } from './hero.tsx';
import { Lanes } from './lanes.tsx';
import { Lent } from './lent.tsx';
import { Problems } from './problems.tsx';
import { WorkCard } from './work-card.tsx';

const FINE = 1_000_000;

/** The part of a job's price that its progress stands for; not owed until the result is checked. */
const accrued = (job: RunningJob): Amount =>
  (job.price * BigInt(Math.floor(Math.min(1, Math.max(0, job.progress)) * FINE))) / BigInt(FINE);

function Today() {
  const { snapshot, text, go } = useFrame();
  const words = text.window.overview;
  const { earnings, running, wallet } = snapshot;
  const today = useRising(earnings.today);
  const inProgress = useRising(sum(running.map(accrued)));
  return (
    <section className="today" aria-labelledby="today">
      <div className="today-main">
        <h2 id="today">{words.today}</h2>
        <p className="today-amount" data-testid="today">
          <Money amount={today} steady />
        </p>
        <p className="meaning">
          {words.credited} · {text.terminal.jobs(earnings.jobsToday)}
        </p>
      </div>
      <dl className="today-rest">
        <div data-live={running.length > 0}>
          <dt>{words.inProgress}</dt>
          <dd data-testid="in-progress">
            <Money amount={inProgress} steady />
          </dd>
          <dd className="meaning">{words.inProgressMeaning}</dd>
        </div>
        <div>
          <dt>{words.verifying}</dt>
          <dd>
            <Money amount={earnings.verifying} />
          </dd>
          <dd className="meaning">{words.verifyingMeaning}</dd>
        </div>
        <div>
          <dt>{words.ready}</dt>
          <dd>
            <Money amount={wallet?.claimable ?? 'unknown'} />
          </dd>
          <dd>
            <Button className="link" onPress={() => go('wallet')}>
              {text.window.frame.wallet}
              <Icon name="arrow" />
            </Button>
          </dd>
        </div>
      </dl>
    </section>
  );
}

/** Before the first earning: what will happen, in order. */
function FirstSteps() {
  const { snapshot, text, format } = useFrame();
  const words = text.window.overview;
  const steps = [
    words.firstAlone(format.span(snapshot.settings.rules.idleAfterSeconds * 1000)),
    words.firstWork,
    words.firstPaid,
  ];
  return (
    <section className="first" aria-labelledby="first">
      <h2 id="first">{words.first}</h2>
      <ol>
        {steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
    </section>
  );
}

function Running() {
  const { snapshot, text } = useFrame();
  const words = text.window.overview;
  const { running, earnings, presence } = snapshot;
  if (running.length === 0 && earnings.credited === 0n && earnings.verifying === 0n) return <FirstSteps />;
  return (
    <section aria-labelledby="running">
      <h2 id="running">{words.running}</h2>
      {running.length === 0 ? (
        <div className="empty">
          <p className="empty-title">{words.nothing}</p>
          <p className="meaning">{presence === 'sharing' ? words.nothingSharing : words.nothingWaiting}</p>
        </div>
      ) : (
        <ul className="works">
          {running.map((job) => (
            <WorkCard key={job.leaseId} job={job} />
          ))}
        </ul>
      )}
    </section>
  );
}

export function Overview() {
  return (
    <div className="page page-overview">
      <Hero />
      <Lanes />
      <Problems />
      <Today />
      <Lent />
      <Running />
    </div>
  );
}
