import { unreachable } from '../../core/errors.ts';
import type { Problem } from '../../core/snapshot.ts';
import { useFrame } from '../frame.ts';
import { useCommand } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';

type Remedy = { readonly label: string; readonly hint?: string; readonly act: () => void };

function useRemedy(problem: Problem, run: ReturnType<typeof useCommand>['run']): Remedy | null {
  const { commands, text, go } = useFrame();
  const words = text.window.problems;
  switch (problem.kind) {
    case 'settings-broken':
      return {
        label: words.reset,
        hint: words.resetHint,
        act: () => void run(() => commands.resetSettings(null)),
      };
    case 'engine-absent':
    case 'engine-forbidden':
    case 'engine-unfit':
      return { label: text.window.doctor.title, act: () => go('proof') };
    case 'sandbox-leaks':
      return { label: words.proveAgain, act: () => go('proof') };
    case 'disk-low':
      return { label: words.changeDisk, act: () => go('limits') };
    case 'coordinator-away':
    case 'coordinator-refused':
    case 'catalogue-refused':
      return { label: words.changeCoordinator, act: () => go('settings') };
    case 'vault-unreadable':
      return { label: words.walletHelp, act: () => void run(() => commands.openHelp('wallet')) };
    case 'engine-slow':
    case 'ledger-unwritable':
    case 'chain-away':
    case 'catalogue-untrusted':
    case 'catalogue-expiring':
    case 'not-started':
      return null;
    default:
      return unreachable(problem);
  }
}

function ProblemNotice({ problem }: { readonly problem: Problem }) {
  const { text } = useFrame();
  const { run, busy, failure, dismiss } = useCommand();
  const remedy = useRemedy(problem, run);
  const { title, advice } = text.problem(problem);
  return (
    <li>
      <Notice title={title} advice={advice}>
        {remedy === null ? undefined : (
          <>
            <Act className="button button-small" busy={busy} onPress={remedy.act}>
              {remedy.label}
            </Act>
            {remedy.hint === undefined ? null : <span className="meaning">{remedy.hint}</span>}
          </>
        )}
      </Notice>
      <FailureNotice failure={failure} onDismiss={dismiss} />
    </li>
  );
}

/** The faults the owner should know of. The list stands even when empty, so that a new one is read aloud. */
export function Problems() {
  const { snapshot, text } = useFrame();
  return (
    <ul className="problems" aria-live="polite" aria-label={text.window.problems.title}>
      {snapshot.problems.map((problem) => (
        <ProblemNotice key={problem.kind} problem={problem} />
      ))}
    </ul>
  );
}
