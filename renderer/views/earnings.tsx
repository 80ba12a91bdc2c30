import type { Amount } from '../../core/money.ts';
import type { Known } from '../../core/primitives.ts';
import { useFrame } from '../frame.ts';
import { Money, useSymbol } from '../parts/money.tsx';
import { Daily } from './daily.tsx';
import { History } from './history.tsx';

type StageProps = {
  readonly name: string;
  readonly amount: Known<Amount>;
  readonly meaning: string;
  readonly note?: string;
  readonly kind: string;
};

function Stage({ name, amount, meaning, note, kind }: StageProps) {
  return (
    <li className="stage" data-kind={kind}>
      <h3>{name}</h3>
      <p className="stage-amount">
        <Money amount={amount} />
      </p>
      <p className="meaning">{meaning}</p>
      {note === undefined ? null : <p className="meaning stage-note">{note}</p>}
    </li>
  );
}

export function Earnings() {
  const { snapshot, text, format } = useFrame();
  const symbol = useSymbol();
  const words = text.window.earnings;
  const { verifying, credited, published, claimed } = snapshot.earnings;
  const unsettled = published === 'unknown' ? 0n : credited - published;
  return (
    <div className="page">
      <h1>{text.window.frame.earnings}</h1>
      <section aria-labelledby="path">
        <h2 id="path">{words.path}</h2>
        <ol className="stages">
          <Stage kind="verifying" name={words.verifying} amount={verifying} meaning={words.verifyingMeaning} />
          <Stage
            kind="credited"
            name={words.credited}
            amount={credited}
            meaning={words.creditedMeaning}
            {...(unsettled > 0n ? { note: words.creditedWaiting(format.money(unsettled, symbol)) } : {})}
          />
          <Stage
            kind="claimable"
            name={words.claimable}
            amount={snapshot.wallet?.claimable ?? 'unknown'}
            meaning={words.claimableMeaning}
          />
          <Stage kind="withdrawn" name={words.withdrawn} amount={claimed} meaning={words.withdrawnMeaning} />
        </ol>
      </section>
      <Daily />
      <History />
    </div>
  );
}
