%%% ejabberdctl, as its script runs it: the same function of the server, with words as arguments.
-module(twitter_ctl).

-export([run/2]).

%% @doc Runs a command, which must succeed.
-spec run(twitter_server:server(), [iodata()]) -> ok.
run(Server, Words) ->
    Args = [unicode:characters_to_list(Word) || Word <- Words],
    {Args, 0} = {Args, twitter_server:call(Server, ejabberd_ctl, process, [Args])},
    ok.
