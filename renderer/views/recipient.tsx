import { useState } from 'react';
import { Button, FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import { checksumHolds } from '../../core/checksum.ts';
import { type Address, address as addressSchema } from '../../core/primitives.ts';
import { useFrame } from '../frame.ts';
import { AddressText } from '../parts/address.tsx';
import { Choice } from '../parts/controls.tsx';

type RecipientProps = {
  readonly owner: Address;
  readonly onBack: () => void;
  /** null: the owner's own address. */
  readonly onReview: (to: Address | null) => void;
};

/** Where the tokens shall go: the owner's own address unless another is written. */
export function RecipientForm({ owner, onBack, onReview }: RecipientProps) {
  const { text } = useFrame();
  const words = text.window.wallet;
  const [target, setTarget] = useState<'own' | 'other'>('own');
  const [typed, setTyped] = useState('');
  const [tried, setTried] = useState(false);
  const parsed = addressSchema.safeParse(typed.trim());
  const fault =
    typed.trim() === ''
      ? words.recipientNeeded
      : !parsed.success
        ? words.recipientWrong
        : checksumHolds(typed.trim())
          ? null
          : words.recipientMistyped;
  const shown = tried && fault !== null;

  const review = (): void => {
    if (target === 'own') onReview(null);
    else if (fault === null && parsed.success) onReview(parsed.data);
    else setTried(true);
  };

  return (
    <Form
      validationBehavior="aria"
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        review();
      }}
    >
      <Choice
        label={words.to}
        value={target}
        options={[
          { value: 'own', label: words.toOwn },
          { value: 'other', label: words.toOther },
        ]}
        onChange={setTarget}
      />
      {target === 'own' ? (
        <AddressText address={owner} />
      ) : (
        <TextField className="field" value={typed} isInvalid={shown} onChange={setTyped} autoComplete="off">
          <Label>{words.recipient}</Label>
          <Input className="input mono" spellCheck="false" onBlur={() => setTried(typed !== '')} />
          {shown ? null : (
            <Text slot="description" className="meaning">
              {words.recipientHint}
            </Text>
          )}
          <FieldError className="field-error">{fault}</FieldError>
        </TextField>
      )}
      <div className="row">
        <Button className="button" onPress={onBack}>
          {words.back}
        </Button>
        <Button type="submit" className="button button-main">
          {words.review}
        </Button>
      </div>
    </Form>
  );
}
