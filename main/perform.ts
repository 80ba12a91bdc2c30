import { fail, failed, type Outcome } from '../core/errors.ts';
import { type CommandName, type Commands, commandArguments } from '../core/ipc.ts';

type Run = (argument: unknown) => Promise<Outcome<unknown>>;

const isCommand = (name: unknown): name is CommandName =>
  typeof name === 'string' && Object.hasOwn(commandArguments, name);

/** Runs one command of the contract. Whatever is not in it, name or argument, is answered with BAD_INPUT. */
export async function perform(commands: Commands, name: unknown, argument: unknown): Promise<Outcome<unknown>> {
  try {
    if (!isCommand(name)) fail('BAD_INPUT', 'there is no such command');
    const checked = commandArguments[name].safeParse(argument);
    if (!checked.success) fail('BAD_INPUT', checked.error.issues[0]?.message ?? 'not valid');
    return await (commands[name] as Run)(checked.data);
  } catch (error) {
    return failed(error);
  }
}
