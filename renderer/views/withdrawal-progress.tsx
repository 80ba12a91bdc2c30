import { Button } from 'react-aria-components';
import type { Withdrawal } from '../../core/snapshot.ts';
import { shortHash } from '../format.ts';
import { useFrame } from '../frame.ts';
import { CopyButton } from '../parts/copy.tsx';
import { Icon } from '../parts/icons.tsx';
import { Money, useSymbol } from '../parts/money.tsx';
import { Notice } from '../parts/notice.tsx';

const STEPS = ['signing', 'relaying', 'confirming', 'done'] as const;

type ActiveWithdrawal = Exclude<Withdrawal, { readonly kind: 'idle' }>;
type ProgressProps = {
  readonly withdrawal: ActiveWithdrawal;
  readonly onClose: () => void;
  readonly onAgain: () => void;
};

/** A withdrawal on its way, arrived, or failed with what to do. */
export function WithdrawalProgress({ withdrawal, onClose, onAgain }: ProgressProps) {
  const { text, format } = useFrame();
  const words = text.window.wallet;
  const amount = format.money(withdrawal.amount, useSymbol());
  if (withdrawal.kind === 'failed') {
    return (
      <section className="panel withdraw" role="alert" aria-label={words.progress}>
        <Notice
          title={words.failedTitle(amount)}
          advice={`${text.window.failure(withdrawal.failure.code)} ${words.failedSafe}`}
          detail={withdrawal.failure.message}
        >
          <Button className="button button-small" onPress={onAgain}>
            {words.again}
          </Button>
          <Button className="button button-small" onPress={onClose}>
            {words.close}
          </Button>
        </Notice>
      </section>
    );
  }
  const reached = STEPS.indexOf(withdrawal.kind);
  const done = withdrawal.kind === 'done';
  return (
    <section className="panel withdraw" aria-labelledby="withdrawal">
      <div className="panel-head">
        <h2 id="withdrawal">{done ? words.doneTitle(amount) : words.progress}</h2>
        {done ? null : <Money amount={withdrawal.amount} />}
      </div>
      <ol className="steps" aria-live="polite">
        {STEPS.map((name, at) => {
          const { title, meaning } = text.window.step(name);
          const state = at < reached || done ? 'past' : at === reached ? 'present' : 'ahead';
          return (
            <li key={name} className="step" data-state={state} aria-current={state === 'present' ? 'step' : undefined}>
              <span className="step-sign">{state === 'past' ? <Icon name="check" /> : null}</span>
              <span className="step-title">{title}</span>
              <span className="meaning">{meaning}</span>
            </li>
          );
        })}
      </ol>
      {'txHash' in withdrawal ? (
        <p className="withdraw-hash">
          <span>{words.transaction}</span>
          <span className="mono" data-testid="tx-hash" title={withdrawal.txHash}>
            {shortHash(withdrawal.txHash)}
          </span>
          <CopyButton value={withdrawal.txHash} what={words.txHash} />
        </p>
      ) : null}
      {done ? (
        <Button className="button" onPress={onClose}>
          {words.close}
        </Button>
      ) : null}
    </section>
  );
}
