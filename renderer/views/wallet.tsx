import type { WalletView } from '../../core/snapshot.ts';
import { useFrame } from '../frame.ts';
import { AddressText } from '../parts/address.tsx';
import { Icon } from '../parts/icons.tsx';
import { Money } from '../parts/money.tsx';
import { Problems } from './problems.tsx';
import { Withdraw } from './withdraw.tsx';

function Protection({ kind }: { readonly kind: WalletView['protection'] }) {
  const { text } = useFrame();
  const words = text.window.wallet;
  return (
    <div className="protection" data-kind={kind}>
      <Icon name={kind === 'keyring' ? 'shield' : 'alert'} />
      <div>
        <p className="protection-title">{words[kind]}</p>
        <p className="meaning">{kind === 'keyring' ? words.keyringMeaning : words.fileMeaning}</p>
      </div>
    </div>
  );
}

function Open({ wallet }: { readonly wallet: WalletView }) {
  const { text } = useFrame();
  const words = text.window.wallet;
  return (
    <>
      <section className="purse" data-theme="dark" aria-labelledby="balance">
        <div className="purse-sums">
          <div>
            <h2 id="balance">{words.balance}</h2>
            <p className="purse-amount" data-testid="balance">
              <Money amount={wallet.balance} />
            </p>
          </div>
          <div>
            <h2>{words.claimable}</h2>
            <p className="purse-amount purse-amount-ready" data-testid="claimable">
              <Money amount={wallet.claimable} />
            </p>
            <p className="meaning">{words.claimableMeaning}</p>
          </div>
        </div>
        <div className="purse-address">
          <h2>{words.address}</h2>
          <AddressText address={wallet.owner} what={words.owner} />
        </div>
      </section>
      <Withdraw wallet={wallet} />
      <div className="columns">
        <section className="panel">
          <Protection kind={wallet.protection} />
        </section>
        <section className="panel" aria-labelledby="device">
          <h2 id="device">{words.device}</h2>
          <AddressText address={wallet.device} what={words.deviceAddress} />
          <p className="meaning">{words.deviceMeaning}</p>
        </section>
      </div>
    </>
  );
}

export function WalletPage() {
  const { snapshot, text } = useFrame();
  const words = text.window.wallet;
  return (
    <div className="page">
      <h1>{text.window.frame.wallet}</h1>
      {snapshot.wallet === null ? (
        <>
          <Problems />
          <div className="empty">
            <p className="empty-title">{words.closed}</p>
            <p className="meaning">{words.closedMeaning}</p>
          </div>
        </>
      ) : (
        <Open wallet={snapshot.wallet} />
      )}
    </div>
  );
}
