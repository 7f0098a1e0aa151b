%%% @doc What is owed to other servers: of which authors which posts changed, and nothing of what is in them.
%%% It is in a table that outlives those who send it ({@link twitter_link}); what one of them has begun to send
%%% stands there too, until it was sent.
%%%
%%% An author's changes are few for each server, however long that is down: too many posts become "everything
%%% since", too many retractions "forget all, and here it is again". What is owed when ejabberd stops, or to a
%%% server that does not answer, is written down in the vhost's own private storage as well.
-module(twitter_outbox).

-include_lib("xmpp/include/xmpp.hrl").

-export([new/1, name/1, last/3, forget_last/2, owe/5, owe_nobody/4, told/3, told/4, tell/4]).
-export([peers/1, is_owed/2, next/4, take/3, note/4, done/3, expire/3, version/1]).
-export([spend/3, grant/4]).
-export([link/2, linked/1, linked/2, register/3, unregister/2, refused/3, refuse/4]).
-export([bucket/1, buckets/0, write/2, read/1]).
-export_type([table/0, peer/0, change/0, work/0, moment/0]).

%% So many posts of one author, and so many of his retractions, are owed to one server one by one.
-define(MAX_POSTS, 50).
-define(MAX_RETRACTIONS, 1000).
%% If so many of all authors are, each of them has room for few.
-define(MAX_OWED, 2000).
-define(FEW, 2).
%% Authors of whom it is remembered when they last changed anything, and what servers were told of them.
-define(MAX_REMEMBERED, 100_000).
%% What is written down lies in so many elements, so that not all is written when something changes.
-define(BUCKETS, 64).

-type table() :: atom().
%% Another server, as one of our pubsub hosts sees it.
-type peer() :: {Host :: binary(), Domain :: binary()}.
-type moment() :: non_neg_integer().
-type change() :: {item | retract | again, Id :: binary(), moment()} | {purge, moment()}.
%% A post was published or edited; it was retracted; it is to be sent once more, and pushed to nobody; all up to a
%% version is gone.
-type work() :: #{%% In the order of the versions.
                  changes := [change()],
                  %% Everything that was changed then or later, too.
                  since := moment() | none,
                  %% What is left was published again, after everything up to that version was forgotten.
                  again := moment() | none,
                  %% The version of the author's change before all these, 0 if there was none; `none' if nobody knows.
                  'after' := moment() | none,
                  %% To whom the first of the changes was sent already, if each reader gets it by himself.
                  sent_to := binary()}.

%% @doc An empty table, which lives as long as the calling process, with what was written down.
-spec new(ServerHost :: binary()) -> ok.
new(ServerHost) ->
    Table = name(ServerHost),
    Table = ets:new(Table, [named_table, public, ordered_set, {write_concurrency, true}]),
    lists:foreach(fun({{owed, _, _, _}, _, _} = Row) -> insert(Table, Row);
                     ({{begun, _, _}, _} = Row) -> ets:insert(Table, Row)
                  end, read(ServerHost)).

-spec name(ServerHost :: binary()) -> table().
name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%%% For whoever publishes: of one author one at a time

%% @doc The version of the author's change before that one, if that is remembered; from now on it is that one.
-spec last(table(), {Host :: binary(), Author :: twitter_nif:jid()}, moment()) -> {ok, moment()} | unknown.
last(Table, {Host, Author}, Version) ->
    Key = {last, Host, Author},
    Before = case ets:lookup(Table, Key) of
                 [{_, Last}] -> {ok, Last};
                 [] -> unknown
             end,
    ok = remember(Table, {last, '_', '_'}, {Key, Version}),
    Before.

%% Beyond some number all are forgotten: they can be found out again.
remember(Table, All, {Key, _} = Row) ->
    case ets:insert_new(Table, Row) of
        false ->
            true = ets:insert(Table, Row);
        true ->
            Counter = {remembered, element(1, Key)},
            case ets:update_counter(Table, Counter, 1, {Counter, 0}) of
                Many when Many > ?MAX_REMEMBERED ->
                    _ = ets:select_delete(Table, [{{All, '_'}, [], [true]}]),
                    true = ets:delete(Table, Counter);
                _ ->
                    true
            end
    end,
    ok.

%% @doc The author's last change is owed by another node.
-spec forget_last(table(), {Host :: binary(), Author :: twitter_nif:jid()}) -> ok.
forget_last(Table, {Host, Author}) ->
    case ets:take(Table, {last, Host, Author}) of
        [] -> ok;
        [_] -> _ = ets:update_counter(Table, {remembered, last}, -1, {{remembered, last}, 1}), ok
    end.

%% @doc A change of an author is owed to a server from now on.
-spec owe(table(), peer(), Author :: twitter_nif:jid(), change(), After :: moment() | none) -> ok.
owe(Table, Peer, Author, Change, After) ->
    {What, Version} = row(Change),
    Key = {owed, Peer, Author, What},
    Earliest = case ets:lookup(Table, Key) of
                   [{_, _, Before}] -> min(Before, After);
                   [] -> After
               end,
    collapse(Table, Peer, Author, room(insert(Table, {Key, Version, Earliest}))).

%% Returns how much is owed to that server now.
insert(Table, {{owed, Peer, _, _} = Key, _, _} = Row) ->
    New = case ets:member(Table, Key) of
              true -> 0;
              false -> 1
          end,
    true = ets:insert(Table, Row),
    count(Table, Peer, New).

row({item, Id, Version}) -> {{item, Id}, Version};
row({retract, Id, Version}) -> {{retract, Id}, Version};
row({purge, Version}) -> {purge, Version}.

count(Table, Peer, N) ->
    ets:update_counter(Table, {count, Peer}, {2, N}, {{count, Peer}, 0}).

room(Count) when Count > ?MAX_OWED -> {?FEW, ?FEW};
room(_Count) -> {?MAX_POSTS, ?MAX_RETRACTIONS}.

%% A number is less than `none'.
collapse(Table, Peer, Author, {Posts, Retractions}) ->
    Rows = owed(Table, Peer, Author),
    Items = [Row || {{_, _, _, {item, _}}, _, _} = Row <- Rows],
    Gone = [Row || {{_, _, _, {retract, _}}, _, _} = Row <- Rows],
    if
        length(Gone) > Retractions -> into(Table, Peer, Author, purge, fun lists:max/1, Gone ++ Items);
        length(Items) > Posts -> into(Table, Peer, Author, since, fun lists:min/1, Items);
        true -> ok
    end.

into(Table, Peer, Author, What, Choose, Rows) ->
    Key = {owed, Peer, Author, What},
    Known = ets:lookup(Table, Key),
    All = Known ++ Rows,
    _ = insert(Table, {Key, Choose([Version || {_, Version, _} <- All]),
                       lists:min([After || {_, _, After} <- All])}),
    remove(Table, Peer, Rows).

%% But for those that have changed meanwhile.
remove(Table, Peer, Rows) ->
    Removed = lists:sum([ets:select_delete(Table, [{{Key, Version, After}, [], [true]}])
                         || {Key, Version, After} <- Rows]),
    case count(Table, Peer, -Removed) of
        0 -> ets:delete_object(Table, {{count, Peer}, 0});
        _ -> true
    end,
    ok.

owed(Table, Peer, Author) ->
    ets:select(Table, [{{{owed, Peer, Author, '_'}, '_', '_'}, [], ['$_']}]).

%% @doc The servers that were told of readers of an author, and are not among those on which he has any: they are
%% owed that, and are returned.
-spec owe_nobody(table(), Host :: binary(), Author :: twitter_nif:jid(), Domains :: [binary()]) -> [peer()].
owe_nobody(Table, Host, Author, Domains) ->
    Lost = [{Host, Domain} || Domain <- told(Table, Host, Author, somebody) -- Domains],
    lists:foreach(fun(Peer) -> insert(Table, {{owed, Peer, Author, audience}, 0, none}) end, Lost),
    Lost.

%% @doc The servers that were told of an author's readers, since this began: last that there are some, or nobody,
%% or either.
-spec told(table(), Host :: binary(), Author :: twitter_nif:jid(), somebody | nobody | '_') -> [Domain :: binary()].
told(Table, Host, Author, Whom) ->
    ets:select(Table, [{{{told, Host, Author, '$1'}, Whom}, [], ['$1']}]).

%% @doc What a server was told last, since this began: that some of its users are to see an author, or nobody.
-spec told(table(), peer(), Author :: twitter_nif:jid()) -> somebody | nobody | unknown.
told(Table, {Host, Domain}, Author) ->
    found(Table, {told, Host, Author, Domain}, unknown).

%% @doc It has been told.
-spec tell(table(), peer(), Author :: twitter_nif:jid(), somebody | nobody) -> ok.
tell(Table, {Host, Domain}, Author, Whom) ->
    remember(Table, {told, '_', '_', '_'}, {{told, Host, Author, Domain}, Whom}).

%%% For whoever sends

%% @doc All servers to which anything is owed.
-spec peers(table()) -> [peer()].
peers(Table) ->
    lists:usort(ets:select(Table, [{{{owed, '$1', '_', '_'}, '_', '_'}, [], ['$1']},
                                   {{{begun, '$1', '_'}, '_'}, [], ['$1']}])).

%% @doc Whether anything is.
-spec is_owed(table(), peer()) -> boolean().
is_owed(Table, Peer) ->
    next(Table, Peer, <<>>, fun(_Author) -> true end) =/= none.

%% @doc An author of whom something is owed to a server, and who suits: the next one after `Former', in turn.
-spec next(table(), peer(), Former :: twitter_nif:jid() | <<>>, fun((twitter_nif:jid()) -> boolean())) ->
          {ok, twitter_nif:jid()} | none.
next(Table, Peer, Former, Suits) ->
    case after_it(Table, Peer, Former, Suits) of
        none when Former =/= <<>> -> after_it(Table, Peer, <<>>, Suits);
        Next -> Next
    end.

%% What was begun, and what was not: the author who comes first of both.
after_it(Table, Peer, Former, Suits) ->
    %% A binary comes after all that stands there.
    case lists:sort(author(ets:next(Table, {begun, Peer, Former}), Peer)
                    ++ author(ets:next(Table, {owed, Peer, Former, <<>>}), Peer)) of
        [] ->
            none;
        [Author | _] ->
            case Suits(Author) of
                true -> {ok, Author};
                false -> after_it(Table, Peer, Author, Suits)
            end
    end.

author({begun, Peer, Author}, Peer) -> [Author];
author({owed, Peer, Author, _}, Peer) -> [Author];
author(_, _Peer) -> [].

%% @doc What is to be sent of an author: what somebody had begun, else all that is owed, which is begun now.
-spec take(table(), peer(), Author :: twitter_nif:jid()) -> work() | none.
take(Table, Peer, Author) ->
    case ets:lookup(Table, {begun, Peer, Author}) of
        [{_, Work}] ->
            Work;
        [] ->
            case owed(Table, Peer, Author) of
                [] ->
                    none;
                Rows ->
                    Work = work(Rows),
                    ok = note(Table, Peer, Author, Work),
                    ok = remove(Table, Peer, Rows),
                    Work
            end
    end.

work(Rows) ->
    Changes = [{Version, Change} || {{_, _, _, What}, Version, _} <- Rows, Change <- change(What, Version)],
    #{changes => [Change || {_, Change} <- lists:sort(Changes)],
      since => lists:min([none | [Version || {{_, _, _, since}, Version, _} <- Rows]]),
      again => lists:min([none | [Version || {{_, _, _, purge}, Version, _} <- Rows]]),
      'after' => lists:min([After || {_, _, After} <- Rows]),
      sent_to => <<>>}.

change({item, Id}, Version) -> [{item, Id, Version}];
change({retract, Id}, Version) -> [{retract, Id, Version}];
change(_, _Version) -> [].

%% @doc So much of what was begun is left.
-spec note(table(), peer(), Author :: twitter_nif:jid(), work()) -> ok.
note(Table, Peer, Author, Work) ->
    true = ets:insert(Table, {{begun, Peer, Author}, Work}),
    ok.

%% @doc Nothing is left of it.
-spec done(table(), peer(), Author :: twitter_nif:jid()) -> ok.
done(Table, Peer, Author) ->
    true = ets:delete(Table, {begun, Peer, Author}),
    ok.

%% @doc Nothing is owed any longer that is older than that; returns how many changes that were.
-spec expire(table(), peer(), Before :: moment()) -> non_neg_integer().
expire(Table, Peer, Before) ->
    Old = ets:select(Table, [{{{owed, Peer, '_', '_'}, '$1', '_'}, [{'<', '$1', Before}], ['$_']}]),
    ok = remove(Table, Peer, Old),
    Begun = [Key || {Key, #{changes := Changes, since := Since, again := Again}}
                        <- ets:select(Table, [{{{begun, Peer, '_'}, '_'}, [], ['$_']}]),
                    lists:max([0 | [Version || Version <- [Since, Again], is_integer(Version)]
                               ++ [version(Change) || Change <- Changes]]) < Before],
    lists:foreach(fun(Key) -> ets:delete(Table, Key) end, Begun),
    length(Old) + length(Begun).

-spec version(change()) -> moment().
version({_, _, Version}) -> Version;
version({purge, Version}) -> Version.

%%% Who sends

%% @doc The process that sends to a server.
-spec link(table(), peer()) -> pid() | none.
link(Table, Peer) ->
    found(Table, {link, Peer}, none).

found(Table, Key, Otherwise) ->
    case ets:lookup(Table, Key) of
        [{_, Found}] -> Found;
        [] -> Otherwise
    end.

-spec register(table(), peer(), pid()) -> ok.
register(Table, Peer, Link) ->
    true = ets:insert(Table, {{link, Peer}, Link}),
    ok.

-spec unregister(table(), peer()) -> ok.
unregister(Table, Peer) ->
    true = ets:delete(Table, {link, Peer}),
    ok.

%% @doc The servers to which somebody sends; those to which this process does.
-spec linked(table()) -> [peer()].
linked(Table) ->
    linked(Table, '_').

-spec linked(table(), pid() | '_') -> [peer()].
linked(Table, Link) ->
    ets:select(Table, [{{{link, '$1'}, Link}, [], ['$1']}]).

%% @doc Whether a server has refused of late what its service offers.
-spec refused(table(), peer(), relay | multicast) -> boolean().
refused(Table, Peer, Offer) ->
    erlang:monotonic_time(second) < found(Table, {refused, Peer, Offer}, -1 bsl 60).

-spec refuse(table(), peer(), relay | multicast, Seconds :: pos_integer()) -> ok.
refuse(Table, Peer, Offer, Seconds) ->
    true = ets:insert(Table, {{refused, Peer, Offer}, erlang:monotonic_time(second) + Seconds}),
    ok.

%% @doc Whether so many messages may be sent to a server before it has answered once more.
-spec spend(table(), peer(), pos_integer()) -> boolean().
spend(Table, Peer, Messages) ->
    Key = {credit, Peer},
    case ets:lookup(Table, Key) of
        [{_, Credit, Until}] when Credit >= Messages ->
            erlang:monotonic_time(millisecond) < Until andalso ets:update_counter(Table, Key, {2, -Messages}) >= 0;
        _ ->
            false
    end.

%% @doc It has: for some messages, and some time.
-spec grant(table(), peer(), Messages :: pos_integer(), Ms :: pos_integer()) -> ok.
grant(Table, Peer, Messages, Ms) ->
    true = ets:insert(Table, {{credit, Peer}, Messages, erlang:monotonic_time(millisecond) + Ms}),
    ok.

%%% What is written down

%% @doc Where that of a server lies.
-spec bucket(peer()) -> non_neg_integer().
bucket(Peer) ->
    erlang:phash2(Peer, ?BUCKETS).

-spec buckets() -> [non_neg_integer()].
buckets() ->
    lists:seq(0, ?BUCKETS - 1).

%% @doc Writes down what is owed now; returns whether that is anything.
-spec write(ServerHost :: binary(), Bucket :: non_neg_integer()) -> boolean().
write(ServerHost, Bucket) ->
    Table = name(ServerHost),
    Rows = [Row || Peer <- peers(Table), bucket(Peer) =:= Bucket,
                   Row <- ets:select(Table, [{{{owed, Peer, '_', '_'}, '_', '_'}, [], ['$_']},
                                             {{{begun, Peer, '_'}, '_'}, [], ['$_']}])],
    Text = case Rows of
               [] -> [];
               _ -> [{xmlcdata, base64:encode(term_to_binary(Rows, [compressed]))}]
           end,
    _ = twitter_private:write_of_host(ServerHost, #xmlel{name = <<"outbox">>, attrs = [{<<"xmlns">>, namespace(Bucket)}],
                                                         children = Text}),
    Rows =/= [].

%% @doc All that was written down, as rows of the table.
-spec read(ServerHost :: binary()) -> [tuple()].
read(ServerHost) ->
    lists:append([rows(twitter_private:read(jid:make(ServerHost), namespace(Bucket))) || Bucket <- buckets()]).

rows({ok, El}) -> binary_to_term(base64:decode(fxml:get_tag_cdata(El)), [safe]);
rows(_) -> [].

%% Each node of a cluster has its own.
namespace(Bucket) ->
    iolist_to_binary(["urn:ejabberd:twitter:outbox:", atom_to_binary(node()), $:, integer_to_binary(Bucket)]).
