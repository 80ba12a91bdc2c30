import { useState } from 'react';
import { FieldError, Form, Input, Label, Text, TextField } from 'react-aria-components';
import { useFrame } from '../frame.ts';
import { useCommand, useSetting } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { Choice, Toggle } from '../parts/controls.tsx';
import { FailureNotice } from '../parts/notice.tsx';

/** `URL.canParse` came with Chrome 120; the page must run on 114. */
function isUrl(value: string): boolean {
  try {
    return new URL(value).host !== '';
  } catch {
    return false;
  }
}

function Look() {
  const { snapshot, text } = useFrame();
  const words = text.window.settings;
  const language = useSetting(snapshot.settings.language, (value) => ({ language: value }), 0);
  const theme = useSetting(snapshot.settings.theme, (value) => ({ theme: value }), 0);
  return (
    <section className="panel" aria-labelledby="look">
      <h2 id="look">{words.look}</h2>
      <Choice
        label={words.language}
        value={language.value}
        options={[
          { value: 'system', label: words.languageSystem },
          { value: 'en', label: 'English' },
          { value: 'ja', label: '日本語' },
        ]}
        onChange={language.change}
      />
      <Choice
        label={words.theme}
        value={theme.value}
        options={[
          { value: 'system', label: words.themeSystem },
          { value: 'light', label: words.themeLight },
          { value: 'dark', label: words.themeDark },
        ]}
        onChange={theme.change}
      />
      <FailureNotice title={words.failed} failure={language.failure ?? theme.failure} />
    </section>
  );
}

function Coordinator() {
  const { snapshot, commands, text } = useFrame();
  const words = text.window.settings;
  const { coordinatorUrl } = snapshot.settings;
  const [draft, setDraft] = useState<string | null>(null);
  const { busy, failure, run, dismiss } = useCommand();
  const value = draft ?? coordinatorUrl;
  const changed = value.trim() !== coordinatorUrl;
  const valid = /^https?:\/\/[^\s/]+/.test(value.trim()) && isUrl(value.trim());
  const save = (): void => {
    if (!changed || !valid) return;
    void run(() => commands.updateSettings({ coordinatorUrl: value.trim() })).then((outcome) => {
      if (outcome.ok) setDraft(null);
    });
  };
  return (
    <Form
      className="field-row"
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) save();
      }}
    >
      <TextField className="field" value={value} isInvalid={!valid} onChange={setDraft} type="url">
        <Label>{words.coordinator}</Label>
        <Input className="input mono" spellCheck="false" />
        {valid ? (
          <Text slot="description" className="meaning">
            {words.coordinatorHint}
          </Text>
        ) : null}
        <FieldError className="field-error">{words.coordinatorWrong}</FieldError>
      </TextField>
      {changed ? (
        <Act type="submit" className="button button-main" busy={busy} isDisabled={!valid}>
          {words.save}
        </Act>
      ) : null}
      <FailureNotice title={words.failed} failure={failure} onDismiss={dismiss} />
    </Form>
  );
}

export function SettingsView() {
  const { snapshot, text, format } = useFrame();
  const words = text.window.settings;
  const startAtLogin = useSetting(snapshot.settings.startAtLogin, (on) => ({ startAtLogin: on }), 0);
  const { network, machine } = snapshot;
  return (
    <div className="page">
      <h1>{text.window.frame.settings}</h1>
      <div className="columns">
        <Look />
        <div className="column">
          <section className="panel" aria-labelledby="start">
            <h2 id="start">{words.start}</h2>
            <Toggle
              label={words.startAtLogin}
              meaning={words.startAtLoginMeaning}
              on={startAtLogin.value}
              onChange={startAtLogin.change}
            />
            <FailureNotice title={words.failed} failure={startAtLogin.failure} onDismiss={startAtLogin.dismiss} />
          </section>
          <section className="panel" aria-labelledby="network">
            <h2 id="network">{words.network}</h2>
            <Coordinator />
          </section>
        </div>
      </div>
      <section className="panel" aria-labelledby="about">
        <h2 id="about">{words.about}</h2>
        <dl className="facts">
          <div>
            <dt>{words.version}</dt>
            <dd>{snapshot.version}</dd>
          </div>
          <div>
            <dt>{words.network}</dt>
            <dd>{network === null ? text.window.unknown : words.chain(network.name, network.chainId)}</dd>
          </div>
          <div>
            <dt>{text.window.frame.engine}</dt>
            <dd>{text.window.engine(snapshot.engine)}</dd>
          </div>
          <div>
            <dt>{words.machine}</dt>
            <dd>
              {words.machineValue(text.window.overview.cores(format.number(machine.cpuCores)), machine.memoryBytes)}
            </dd>
          </div>
        </dl>
      </section>
    </div>
  );
}
