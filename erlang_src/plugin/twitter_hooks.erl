%%% @doc Who listens to ejabberd's hooks.
-module(twitter_hooks).

-export([are_known/2]).

%% @doc Whether no other than these modules have handlers of these hooks in a vhost. Cost: a look-up for
%% each hook.
-spec are_known(ServerHost :: binary(), [{Hook :: atom(), [module()]}]) -> boolean().
are_known(ServerHost, Hooks) ->
    lists:all(fun({Hook, Known}) -> are_known(ServerHost, Hook, Known) end, Hooks).

%% ejabberd has no function that tells the handlers of a hook. Its table does: the second element of an
%% entry is the list of them. Should that ever change, nobody is known.
are_known(ServerHost, Hook, Known) ->
    case ets:lookup(hooks, {Hook, ServerHost}) of
        [Entry] ->
            try
                lists:all(fun({_Priority, Module, _Function}) -> lists:member(Module, Known) end,
                          element(2, Entry))
            catch
                error:_ -> false
            end;
        [] ->
            true
    end.
