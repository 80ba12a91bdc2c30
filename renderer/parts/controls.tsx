import { useId } from 'react';
import { Label, Radio, RadioGroup, Switch } from 'react-aria-components';

type DialProps = {
  readonly label: string;
  readonly meaning: string;
  readonly value: number;
  readonly said: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly onChange: (value: number) => void;
};

/** A slider whose value is said in the owner's words, for eyes and for screen readers alike. */
export function Dial({ label, meaning, value, said, min, max, step, onChange }: DialProps) {
  const id = useId();
  const filled = max > min ? Math.min(1, Math.max(0, (value - min) / (max - min))) : 0;
  return (
    <div className="dial">
      <div className="dial-head">
        <label className="dial-label" htmlFor={id}>
          {label}
        </label>
        <output className="dial-value" htmlFor={id}>
          {said}
        </output>
      </div>
      <input
        id={id}
        type="range"
        className="dial-range"
        style={{ '--filled': `${filled * 100}%` } as React.CSSProperties}
        min={min}
        max={max}
        step={step}
        value={value}
        aria-valuetext={said}
        aria-describedby={`${id}-meaning`}
        onChange={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
      <p className="meaning" id={`${id}-meaning`}>
        {meaning}
      </p>
    </div>
  );
}

type ToggleProps = {
  readonly label: string;
  readonly meaning: string;
  readonly on: boolean;
  readonly disabled?: boolean;
  readonly onChange: (on: boolean) => void;
};

export function Toggle({ label, meaning, on, disabled = false, onChange }: ToggleProps) {
  const id = useId();
  return (
    <div className="toggle-row">
      <Switch className="toggle" isSelected={on} isDisabled={disabled} onChange={onChange} aria-describedby={id}>
        <span className="toggle-label">{label}</span>
        <span className="toggle-track">
          <span className="toggle-thumb" />
        </span>
      </Switch>
      <p className="meaning" id={id}>
        {meaning}
      </p>
    </div>
  );
}

type ChoiceProps<T extends string> = {
  readonly label: string;
  readonly labelHidden?: boolean;
  readonly value: T;
  readonly options: readonly { readonly value: T; readonly label: string }[];
  readonly onChange: (value: T) => void;
};

/** A few exclusive options side by side. */
export function Choice<T extends string>({ label, labelHidden = false, value, options, onChange }: ChoiceProps<T>) {
  return (
    <RadioGroup
      className="choice"
      value={value}
      orientation="horizontal"
      onChange={(chosen) => {
        const option = options.find((each) => each.value === chosen);
        if (option !== undefined) onChange(option.value);
      }}
    >
      <Label className={labelHidden ? 'unseen' : 'choice-label'}>{label}</Label>
      <div className="choice-options">
        {options.map((option) => (
          <Radio key={option.value} value={option.value} className="choice-option">
            {option.label}
          </Radio>
        ))}
      </div>
    </RadioGroup>
  );
}
