import { ProgressBar } from 'react-aria-components';

/** A bar, and its percentage in words. `part`: 0..1. */
export function Progress({ label, part }: { readonly label: string; readonly part: number }) {
  return (
    <ProgressBar className="progress" value={part * 100} aria-label={label}>
      {({ percentage, valueText }) => (
        <>
          <div className="progress-track">
            <div className="progress-fill" style={{ width: `${percentage ?? 0}%` }} />
          </div>
          <span className="progress-said">{valueText}</span>
        </>
      )}
    </ProgressBar>
  );
}
