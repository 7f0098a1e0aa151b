%%% @doc What local authors publish, for the servers of their contacts elsewhere: it is owed to them from here on,
%%% and {@link twitter_links} sees to it that it is sent.
-module(twitter_abroad).

-export([owe/3, is_owed_elsewhere/2, owe_purge/4]).

%% @doc A post was published, or some were retracted: the servers of these domains are to know. To be called for one
%% change of an author at a time, in their order.
-spec owe(ServerHost :: binary(), twitter_fanout:post(), Domains :: [binary()]) -> ok.
owe(ServerHost, #{host := Host, author := Author, what := {item, Id, _Payload}, version := Version}, Domains) ->
    owe(ServerHost, Host, Author, [{item, Id, Version}], Version, Domains, Domains);
owe(ServerHost, #{host := Host, author := Author, what := {retract, Ids}, version := Version}, Domains) ->
    owe_all(ServerHost, Host, Author, [{retract, Id, Version} || Id <- Ids], Version, Domains).

%% @doc The same happened, and another node of the cluster owes it.
-spec is_owed_elsewhere(ServerHost :: binary(), twitter_fanout:post()) -> ok.
is_owed_elsewhere(ServerHost, #{host := Host, author := Author}) ->
    twitter_outbox:forget_last(twitter_outbox:name(ServerHost), {Host, Author}).

%% @doc The account of an author was deleted, and all that he posted: these servers are to forget it too.
-spec owe_purge(ServerHost :: binary(), Host :: binary(), Author :: twitter_nif:jid(), Domains :: [binary()]) ->
          ok.
owe_purge(ServerHost, Host, Author, Domains) ->
    Now = twitter_unread:moment(),
    owe_all(ServerHost, Host, Author, [{purge, Now}], Now, Domains).

%% Where nobody is to see him any more it may be stored all the same.
owe_all(ServerHost, Host, Author, Changes, Version, Domains) ->
    Former = twitter_outbox:told(twitter_outbox:name(ServerHost), Host, Author, '_'),
    owe(ServerHost, Host, Author, Changes, Version, Domains, lists:usort(Former ++ Domains)).

owe(ServerHost, Host, Author, Changes, Version, Readable, Domains) ->
    Table = twitter_outbox:name(ServerHost),
    Peers = [{Host, Domain} || Domain <- Domains],
    After = former(Table, Host, Author, Version, Domains),
    _ = [ok = twitter_outbox:owe(Table, Peer, Author, Change, After) || Peer <- Peers, Change <- Changes],
    twitter_links:wake(ServerHost, Peers ++ twitter_outbox:owe_nobody(Table, Host, Author, Readable)).

%% The version of the author's change before this one, the first time as it is stored.
former(_Table, _Host, _Author, _Version, []) ->
    none;
former(Table, Host, Author, Version, _Domains) ->
    case twitter_outbox:last(Table, {Host, Author}, Version) of
        {ok, Before} -> Before;
        unknown -> stored_before(Host, Author, Version)
    end.

stored_before(Host, Author, Version) ->
    try
        lists:max([0 | [Before || {_Id, Before} <- twitter_store:versions(Host, Author), Before < Version]])
    catch
        %% The storage cannot be read, or mod_pubsub is being started anew.
        _:_ -> none
    end.
