import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Button } from 'react-aria-components';
import { RELAY_FEE } from '../../core/money.ts';
import { type Address, sameAddress } from '../../core/primitives.ts';
import type { WalletView } from '../../core/snapshot.ts';
import { useFrame } from '../frame.ts';
import { type Command, useCommand } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { AddressText } from '../parts/address.tsx';
import { Icon } from '../parts/icons.tsx';
import { Money, useSymbol } from '../parts/money.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import { RecipientForm } from './recipient.tsx';
import { WithdrawalProgress } from './withdrawal-progress.tsx';

/** Where the owner stands; what the wallet does is in the snapshot. */
type Stage =
  | { readonly kind: 'closed' }
  | { readonly kind: 'form' }
  | { readonly kind: 'review'; readonly to: Address | null };

const CLOSED: Stage = { kind: 'closed' };

type ReviewProps = {
  readonly wallet: WalletView;
  readonly to: Address | null;
  readonly command: Command;
  readonly onBack: () => void;
  readonly onSent: () => void;
};

function Review({ wallet, to, command, onBack, onSent }: ReviewProps) {
  const { commands, text, format } = useFrame();
  const symbol = useSymbol();
  const words = text.window.wallet;
  const { claimable } = wallet;
  if (claimable === 'unknown') return <p className="meaning">{words.chainUnknown}</p>;
  const elsewhere = to !== null && !sameAddress(to, wallet.owner);
  const send = (): void => {
    void command
      .run(() => commands.withdraw({ recipient: to }))
      .then((outcome) => {
        if (outcome.ok) onSent();
      });
  };
  return (
    <>
      <dl className="review">
        <div>
          <dt>{words.amount}</dt>
          <dd>
            <Money amount={claimable} />
          </dd>
        </div>
        <div>
          <dt>{words.fee}</dt>
          <dd>{RELAY_FEE === 0n ? words.noFee : <Money amount={RELAY_FEE} />}</dd>
        </div>
        <div>
          <dt>{words.arrives}</dt>
          <dd>
            <AddressText address={to ?? wallet.owner} />
          </dd>
        </div>
      </dl>
      {elsewhere ? (
        <p className="warning">
          <Icon name="alert" />
          {words.otherWarning}
        </p>
      ) : null}
      <p className="meaning">{words.reviewMeaning}</p>
      <FailureNotice failure={command.failure} onDismiss={command.dismiss} />
      <div className="row">
        <Button className="button" onPress={onBack}>
          {words.back}
        </Button>
        <Act className="button button-money" busy={command.busy} isDisabled={claimable === 0n} onPress={send}>
          {words.confirm(format.money(claimable - RELAY_FEE, symbol))}
        </Act>
      </div>
    </>
  );
}

function Panel({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <section className="panel withdraw" aria-labelledby="withdraw">
      <h2 id="withdraw" ref={heading} tabIndex={-1}>
        {title}
      </h2>
      {children}
    </section>
  );
}

export function Withdraw({ wallet }: { readonly wallet: WalletView }) {
  const { text } = useFrame();
  const words = text.window.wallet;
  const [stage, setStage] = useState<Stage>(CLOSED);
  const [dismissedAt, setDismissedAt] = useState<number | null>(null);
  const command = useCommand();
  const { withdrawal, claimable } = wallet;

  const ended = withdrawal.kind === 'done' || withdrawal.kind === 'failed' ? withdrawal.at : null;
  const showsProgress =
    withdrawal.kind !== 'idle' && (ended === null || (stage.kind === 'closed' && ended !== dismissedAt));
  if (showsProgress) {
    return (
      <WithdrawalProgress
        withdrawal={withdrawal}
        onClose={() => setDismissedAt(ended)}
        onAgain={() => {
          setDismissedAt(ended);
          setStage({ kind: 'form' });
        }}
      />
    );
  }
  switch (stage.kind) {
    case 'closed':
      return (
        <div className="withdraw-start">
          <Button
            className="button button-money button-large"
            isDisabled={claimable === 'unknown' || claimable === 0n}
            onPress={() => setStage({ kind: 'form' })}
          >
            {words.withdraw}
          </Button>
          {claimable === 'unknown' || claimable === 0n ? (
            <p className="meaning">{claimable === 'unknown' ? words.chainUnknown : words.nothingYet}</p>
          ) : null}
        </div>
      );
    case 'form':
      return (
        <Panel title={words.withdraw}>
          <RecipientForm
            owner={wallet.owner}
            onBack={() => setStage(CLOSED)}
            onReview={(to) => setStage({ kind: 'review', to })}
          />
        </Panel>
      );
    case 'review':
      return (
        <Panel key="review" title={words.reviewTitle}>
          <Review
            wallet={wallet}
            to={stage.to}
            command={command}
            onBack={() => setStage({ kind: 'form' })}
            onSent={() => {
              setDismissedAt(ended);
              setStage(CLOSED);
            }}
          />
        </Panel>
      );
  }
}
