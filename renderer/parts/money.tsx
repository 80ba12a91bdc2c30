import type { Amount } from '../../core/money.ts';
import type { Known } from '../../core/primitives.ts';
import { useFrame } from '../frame.ts';

/** The token's symbol; a plain word until the network has said it. */
export function useSymbol(): string {
  const { snapshot, text } = useFrame();
  return snapshot.network?.tokenSymbol ?? text.window.tokens;
}

/** An amount with its unit, or the word for unknown. `steady` keeps its width however small it is. */
export function Money({ amount, steady = false }: { readonly amount: Known<Amount>; readonly steady?: boolean }) {
  const { text, format } = useFrame();
  const symbol = useSymbol();
  if (amount === 'unknown') return <span className="money money-unknown">{text.window.unknown}</span>;
  const { whole, fraction } = format.figure(amount, steady);
  return (
    <span className="money">
      <span className="money-whole">{whole}</span>
      <span className="money-fraction">{fraction}</span> <span className="money-unit">{symbol}</span>
    </span>
  );
}
