import { useRef, useState } from 'react';
import { Button, Dialog, Form, Heading, Input, Label, Modal, ModalOverlay, TextField } from 'react-aria-components';
import type { RunningApp } from '../../core/ipc.ts';
import type { Settings } from '../../core/settings.ts';
import { useFrame } from '../frame.ts';
import { useCommand } from '../hooks.ts';
import { Act } from '../parts/act.tsx';
import { Icon } from '../parts/icons.tsx';
import { FailureNotice } from '../parts/notice.tsx';

type List = keyof Settings['games'];

const LEAST = 2;
const isIn = (list: readonly string[], name: string): boolean =>
  list.some((each) => each.toLowerCase() === name.toLowerCase());

function Names({ list, title, empty }: { readonly list: List; readonly title: string; readonly empty: string }) {
  const { snapshot, commands, text } = useFrame();
  const words = text.window.games;
  const names = snapshot.settings.games[list];
  const { busy, failure, run, dismiss } = useCommand();
  const [draft, setDraft] = useState('');
  const [wrong, setWrong] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const save = (next: readonly string[]) => run(() => commands.updateSettings({ games: { [list]: [...next] } }));
  const add = (): void => {
    const name = draft.trim();
    const fault = name.length < LEAST ? words.short : isIn(names, name) ? words.already : null;
    setWrong(fault);
    if (fault !== null) return;
    void save([...names, name]).then((outcome) => {
      if (!outcome.ok) return;
      setDraft('');
      field.current?.focus();
    });
  };
  /** Hands the focus on to a neighbour: what is removed cannot keep it. */
  const remove = (name: string, pressed: Element): void => {
    const row = pressed.closest('li');
    const neighbour = (row?.nextElementSibling ?? row?.previousElementSibling)?.querySelector('button');
    void save(names.filter((each) => each !== name)).then((outcome) => {
      if (outcome.ok) (neighbour ?? field.current)?.focus();
    });
  };
  return (
    <div className="names">
      <h3>{title}</h3>
      {names.length === 0 ? <p className="meaning">{empty}</p> : null}
      <ul className="names">
        {names.map((name) => (
          <li key={name}>
            <span>{name}</span>
            <Act
              className="button button-icon"
              aria-label={words.remove(name)}
              busy={busy}
              onPress={({ target }) => remove(name, target)}
            >
              <Icon name="cross" />
            </Act>
          </li>
        ))}
      </ul>
      <Form
        className="add"
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy) add();
        }}
      >
        <TextField className="field" value={draft} onChange={setDraft} maxLength={260}>
          <Label className="meaning">
            {words.name}
            <span className="unseen"> – {title}</span>
          </Label>
          <Input className="input" spellCheck="false" ref={field} />
        </TextField>
        <Act type="submit" className="button" busy={busy} isDisabled={draft.trim() === ''}>
          {words.add}
          <span className="unseen"> – {title}</span>
        </Act>
      </Form>
      {wrong === null ? null : (
        <p className="field-error" role="alert">
          {wrong}
        </p>
      )}
      <FailureNotice title={words.failed} failure={failure} onDismiss={dismiss} />
    </div>
  );
}

function Apps({ apps }: { readonly apps: readonly RunningApp[] }) {
  const { snapshot, commands, text } = useFrame();
  const words = text.window.games;
  const { own, ignored } = snapshot.settings.games;
  const { busy, failure, run, dismiss } = useCommand();
  const learn = (name: string): void =>
    void run(() =>
      commands.updateSettings({
        games: { own: [...own, name], ignored: ignored.filter((each) => each.toLowerCase() !== name.toLowerCase()) },
      }),
    );
  return (
    <>
      {apps.length === 0 ? <p className="empty">{words.none}</p> : null}
      <ul className="names">
        {apps.map(({ name, path, game }) => (
          <li key={`${name} ${path}`}>
            <span>
              {name}
              {path === null ? null : <span className="app-path">{path}</span>}
            </span>
            {game || isIn(own, name) ? (
              <span className="meaning">{words.known}</span>
            ) : (
              <Act className="button button-small" busy={busy} onPress={() => learn(name)}>
                {words.add}
                <span className="unseen"> – {name}</span>
              </Act>
            )}
          </li>
        ))}
      </ul>
      <FailureNotice title={words.failed} failure={failure} onDismiss={dismiss} />
    </>
  );
}

/** Asks which programs run, once for each look. */
function Learn() {
  const { commands, text } = useFrame();
  const words = text.window.games;
  const [apps, setApps] = useState<readonly RunningApp[] | null>(null);
  const { busy, failure, run, dismiss } = useCommand();
  const look = (): void =>
    void run(() => commands.runningApps(null)).then((outcome) => {
      if (outcome.ok) setApps(outcome.value);
    });
  return (
    <>
      <Act className="button" busy={busy} onPress={look}>
        {words.learn}
      </Act>
      <FailureNotice failure={failure} onDismiss={dismiss} />
      <ModalOverlay
        className="veil"
        isDismissable
        isOpen={apps !== null}
        onOpenChange={(open) => (open ? undefined : setApps(null))}
      >
        <Modal className="sheet">
          <Dialog>
            <Heading slot="title">{words.learnTitle}</Heading>
            <p className="meaning">{words.learnMeaning}</p>
            <Apps apps={apps ?? []} />
            <div className="row">
              <Act className="button" busy={busy} onPress={look}>
                {words.again}
              </Act>
              <Button className="button button-main" onPress={() => setApps(null)}>
                {words.close}
              </Button>
            </div>
          </Dialog>
        </Modal>
      </ModalOverlay>
    </>
  );
}

export function Games() {
  const { text } = useFrame();
  const words = text.window.games;
  return (
    <section className="panel" aria-labelledby="games">
      <h2 id="games">{words.title}</h2>
      <p className="meaning">{words.meaning}</p>
      <div className="row">
        <Learn />
      </div>
      <Names list="own" title={words.own} empty={words.noOwn} />
      <Names list="ignored" title={words.ignored} empty={words.noIgnored} />
    </section>
  );
}
