import { Button, type ButtonProps } from 'react-aria-components';

type ActProps = Omit<ButtonProps, 'className'> & {
  readonly className: string;
  readonly busy: boolean;
};

/** A button of a command under way does nothing; it stays in place for the keyboard, which a disabled one would throw off. */
export function Act({ busy, className, onPress, ...rest }: ActProps) {
  return (
    <Button
      {...rest}
      className={busy ? `${className} button-busy` : className}
      {...(busy ? { 'aria-disabled': true } : { ...(onPress === undefined ? {} : { onPress }) })}
    />
  );
}
