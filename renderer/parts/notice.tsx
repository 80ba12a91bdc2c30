import type { ReactNode } from 'react';
import { Button } from 'react-aria-components';
import type { WireFailure } from '../../core/errors.ts';
import { useFrame } from '../frame.ts';
import { Icon } from './icons.tsx';

type NoticeProps = {
  readonly title: string;
  readonly advice: string;
  readonly detail?: string;
  readonly children?: ReactNode;
  readonly onDismiss?: () => void;
};

/** A fault in plain words, with what to do about it. */
export function Notice({ title, advice, detail, children, onDismiss }: NoticeProps) {
  const { text } = useFrame();
  return (
    <div className="notice">
      <Icon name="alert" />
      <div className="notice-body">
        <p className="notice-title">{title}</p>
        <p className="notice-advice">{advice}</p>
        {detail === undefined ? null : <p className="notice-detail">{detail}</p>}
        {children === undefined ? null : <div className="notice-actions">{children}</div>}
      </div>
      {onDismiss === undefined ? null : (
        <Button className="button button-icon" aria-label={text.window.frame.dismiss} onPress={onDismiss}>
          <Icon name="cross" />
        </Button>
      )}
    </div>
  );
}

type FailureProps = { readonly failure: WireFailure | null; readonly title?: string; readonly onDismiss?: () => void };

/** The failure of a command, said aloud when it comes. */
export function FailureNotice({ failure, title, onDismiss }: FailureProps) {
  const { text } = useFrame();
  if (failure === null) return null;
  const advice = text.window.failure(failure.code);
  return (
    <div role="alert">
      <Notice
        title={title ?? advice}
        advice={title === undefined ? failure.message : advice}
        {...(title === undefined ? {} : { detail: failure.message })}
        {...(onDismiss === undefined ? {} : { onDismiss })}
      />
    </div>
  );
}
