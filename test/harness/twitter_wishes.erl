%%% What readers want to get, set as their clients' commands set it.
-module(twitter_wishes).

-include_lib("xmpp/include/xmpp.hrl").

-export([change/4]).
%% Runs in the server.
-export([changed/3]).

%% @doc Calls that function of `twitter_settings' for this reader.
-spec change(twitter_server:server(), Jid :: binary(), Function :: atom(), Args :: [term()]) ->
    term() | {refused, binary()}.
change(Server, Jid, Function, Args) ->
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(?MODULE))]),
    twitter_server:call(Server, ?MODULE, changed, [Jid, Function, Args]).

%% @private
-spec changed(Name :: binary(), Function :: atom(), Args :: [term()]) -> term() | {refused, binary()}.
changed(Name, Function, Args) ->
    Jid = jid:decode(Name),
    [Service | _] = twitter_service:all(Jid#jid.lserver),
    try
        apply(twitter_settings, Function, [twitter_reader:local(Jid, Service, <<"en">>) | Args])
    catch
        throw:{refused, Error} -> {refused, xmpp:format_stanza_error(Error)}
    end.
