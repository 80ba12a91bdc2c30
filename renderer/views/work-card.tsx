import type { RunningJob } from '../../core/snapshot.ts';
import { gibibytes } from '../../core/text/format.ts';
import { shortHash } from '../format.ts';
import { useFrame } from '../frame.ts';
import { useNow } from '../hooks.ts';
import { CopyButton } from '../parts/copy.tsx';
import { Money } from '../parts/money.tsx';
import { Progress } from '../parts/progress.tsx';

/** One piece of work: what it is, which image, what it takes and what it pays. */
export function WorkCard({ job }: { readonly job: RunningJob }) {
  const { text, format } = useFrame();
  const words = text.window.overview;
  const now = useNow();
  const title = text.window.workload(job.workload);
  return (
    <li className="work" data-phase={job.phase}>
      <div className="work-head">
        <h3 className="work-title">
          {title} <span className="work-version">{job.version}</span>
        </h3>
        <span className="work-phase">{text.phase(job.phase)}</span>
        <span className="work-price">
          <span className="unseen">{words.price} </span>
          <Money amount={job.price} />
        </span>
      </div>
      <Progress label={words.progress(title)} part={job.progress} />
      <dl className="facts">
        <div>
          <dt>{words.processor}</dt>
          <dd>{words.cores(format.number(job.cpuCores, 2))}</dd>
        </div>
        <div>
          <dt>{words.memory}</dt>
          <dd>{gibibytes(job.memoryBytes)}</dd>
        </div>
        <div>
          <dt>{words.elapsed}</dt>
          <dd>{format.span(now - job.startedAt)}</dd>
        </div>
        <div>
          <dt>{words.image}</dt>
          <dd className="mono">
            {shortHash(job.image)}
            <CopyButton value={job.image} what={words.digest} />
          </dd>
        </div>
      </dl>
      <p className="work-sealed">{words.sealed}</p>
    </li>
  );
}
