import { useCallback, useEffect, useState } from 'react';
import type { Finding } from '../../core/doctor.ts';
import { GVISOR_CHOICES } from '../../core/engine-gates.ts';
import { useFrame } from '../frame.ts';
import { useCommand, useSetting } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { Choice } from '../parts/controls.tsx';
import { CopyButton } from '../parts/copy.tsx';
import { Icon } from '../parts/icons.tsx';
import { FailureNotice } from '../parts/notice.tsx';

const ICONS = { fine: 'check', hint: 'arrow', bad: 'alert', unknown: 'activity' } as const;

function Row({ finding }: { readonly finding: Finding }) {
  const words = useFrame().text.window.doctor;
  const { says, fix, command } = words.advice(finding);
  const name = words.checks[finding.check];
  return (
    <li className="check" data-state={finding.state}>
      <Icon name={ICONS[finding.state]} />
      <div className="check-body">
        <p className="check-name">
          {name}
          <span className="unseen">: {words.states[finding.state]}</span>
        </p>
        <p className="check-says">{says}</p>
        {fix === null ? null : <p className="meaning">{fix}</p>}
        {command === null ? null : (
          <p className="check-command">
            <code>{command}</code>
            <CopyButton value={command} what={name} />
          </p>
        )}
      </div>
    </li>
  );
}

function Gvisor() {
  const { snapshot, text } = useFrame();
  const words = text.window.doctor;
  const choice = useSetting(snapshot.settings.engine.gvisor, (gvisor) => ({ engine: { gvisor } }));
  return (
    <div className="doctor-choice">
      <Choice
        label={words.gvisor}
        value={choice.value}
        options={GVISOR_CHOICES.map((value) => ({ value, label: words.gvisorChoices[value] }))}
        onChange={choice.change}
      />
      <p className="meaning">{words.gvisorHint}</p>
      <FailureNotice failure={choice.failure} onDismiss={choice.dismiss} />
    </div>
  );
}

/** What sharing needs on this machine, looked at when the view opens and at the owner's word. */
export function DoctorPanel() {
  const { commands, text } = useFrame();
  const words = text.window.doctor;
  const { busy, failure, run, dismiss } = useCommand();
  const help = useCommand();
  const [findings, setFindings] = useState<readonly Finding[] | null>(null);
  const look = useCallback(async (): Promise<void> => {
    const outcome = await run(() => commands.doctor(null));
    if (outcome.ok) setFindings(outcome.value.findings);
  }, [run, commands]);
  useEffect(() => {
    void look();
  }, [look]);
  const count = (state: Finding['state']): number => findings?.filter((finding) => finding.state === state).length ?? 0;
  return (
    <section className="panel" aria-labelledby="doctor">
      <div className="panel-head">
        <h2 id="doctor">{words.title}</h2>
        <Act className="button" busy={busy} onPress={() => void look()}>
          {busy ? words.looking : words.again}
        </Act>
      </div>
      <p className="meaning">{words.intro}</p>
      <FailureNotice failure={failure} onDismiss={dismiss} />
      <p className="doctor-summary" aria-live="polite" data-state={count('bad') > 0 ? 'bad' : 'fine'}>
        {findings === null ? words.looking : words.summary(count('bad'), count('hint'))}
      </p>
      <ul className="checks">
        {findings?.map((finding) => (
          <Row key={finding.check} finding={finding} />
        ))}
      </ul>
      <Gvisor />
      <div className="panel-foot">
        <Act
          className="button button-small"
          busy={help.busy}
          onPress={() => void help.run(() => commands.openHelp('docker'))}
        >
          {text.window.problems.dockerHelp}
        </Act>
      </div>
      <FailureNotice failure={help.failure} onDismiss={help.dismiss} />
    </section>
  );
}
