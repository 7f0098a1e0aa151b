%%% @doc Posts that lie in the other database than the one mod_pubsub uses now, or will use: Mnesia or SQL. What is
%%% moved are the nodes that store posts, with all that is in them: ids, times, payloads, and what was heard of authors
%%% on other servers, with who may see it. Other nodes are ejabberd's business.
%%%
%%% Before mod_pubsub is switched, posts are *copied*: the new database gets what the old one has. After that they are
%%% *moved*: what is not in the new one yet, or older there, is put there, compared, and then deleted in the old
%%% one. Either can be done again, and any number of times. An item in the new node, with an id that no XML can carry,
%%% says how far it has come:
%%% when the author's posts were copied, so that what was deleted on either side since then stays deleted; or that
%%% all of them are there, so that what is left in the old database goes unread.
%%%
%%% One author after the other is moved, each in his {@link twitter_writer}.
-module(twitter_move).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("ejabberd/include/pubsub.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([posts/2, forget/2]).
-export_type([result/0]).

-define(NS, <<"urn:ejabberd:twitter:moved:0">>).
-define(MARK, <<1, "moved">>).
%% So many items are written at once.
-define(PORTION, 100).

%% Whether the old database has lost what the new one has; how many authors there were and how many posts they have,
%% what was heard of others included; how many authors could not be moved.
-type result() :: #{kind := copied | moved, authors := non_neg_integer(), posts := non_neg_integer(),
                    left := non_neg_integer()}.
-type ctx() :: #{host := binary(), author := twitter_nif:jid(), owner := jid:jid(), from := module(), to := module()}.

%% @doc Copies or moves all posts of a pubsub host to that database, from the other one.
-spec posts(twitter_service:served(), To :: twitter_nodes:db()) -> result() | {error, not_configured}.
posts(#{host := Host, server_host := ServerHost} = Service, To) ->
    case lists:all(fun(Db) -> is_configured(Db, ServerHost) end, [mnesia, sql]) of
        true ->
            From = twitter_storage:backend(other(To)),
            Kind = case twitter_storage:db(Host) of
                       To -> moved;
                       _ -> copied
                   end,
            ok = prepare(Host, ServerHost),
            ok = case {Kind, To} of
                     {copied, sql} -> twitter_sql_storage:delete_exported(Host);
                     _ -> ok
                 end,
            lists:foldl(fun(Author, Sum) -> add(author(Kind, Service, Author, To), Sum) end,
                        #{kind => Kind, authors => 0, posts => 0, left => 0}, From:authors(Host));
        false ->
            {error, not_configured}
    end.

other(mnesia) -> sql;
other(sql) -> mnesia.

is_configured(mnesia, _ServerHost) -> true;
is_configured(sql, ServerHost) -> lists:member(ejabberd_option:sql_type(ServerHost), [mysql, pgsql, sqlite]).

%% The tables of Mnesia, which mod_pubsub makes only where it uses them.
prepare(Host, ServerHost) ->
    _ = pubsub_index:init(Host, ServerHost, []),
    ok = nodetree_tree:init(Host, ServerHost, []),
    ok = node_flat:init(Host, ServerHost, []),
    twitter_tables:check_pubsub().

add({done, Posts}, #{authors := Authors, posts := All} = Sum) -> Sum#{authors := Authors + 1, posts := All + Posts};
add(left, #{left := Left} = Sum) -> Sum#{left := Left + 1}.

author(Kind, #{host := Host} = Service, Author, To) ->
    Jid = twitter_roster:bare(Author),
    Owner = case twitter_roster:is_local(Jid) of
                true -> Jid;
                false -> mod_pubsub:service_jid(Host)
            end,
    Ctx = #{host => Host, author => Author, owner => Owner, from => twitter_storage:backend(other(To)),
            to => twitter_storage:backend(To)},
    try twitter_writer:run(Service, Author, fun() -> run(Kind, Ctx) end) of
        {done, Posts} -> {done, Posts};
        {left, Why} -> left(Author, Why)
    catch
        throw:{refused, Error} -> left(Author, xmpp:format_stanza_error(Error));
        exit:{aborted, Reason} -> left(Author, io_lib:format("~tP", [Reason, 12]));
        exit:{Reason, {gen_server, call, _}} -> left(Author, io_lib:format("~tP", [Reason, 12]))
    end.

left(Author, Why) ->
    ?WARNING_MSG("The posts of ~ts are not moved: ~ts", [Author, Why]),
    left.

-spec run(copied | moved, ctx()) -> {done, Posts :: non_neg_integer()} | {left, Why :: string()}.
run(Kind, #{host := Host, author := Author, owner := Owner, from := From} = Ctx) ->
    case {From:find(Host, Author, Owner), is_account(Ctx)} of
        {none, _} ->
            {done, 0};
        {{ok, _, false}, _} ->
            {left, "they are of somebody of that name whose account is gone"};
        {_, false} ->
            {left, "there is no such account"};
        {{ok, Nidx, true}, true} when Kind =:= copied ->
            copy(Ctx, items(From, Ctx, Nidx));
        {{ok, Nidx, true}, true} ->
            Moved = move(Ctx, Nidx),
            ok = twitter_index:forget(Host, Author),
            Moved
    end.

is_account(#{owner := #jid{luser = <<>>}}) -> true;
is_account(#{owner := #jid{luser = LUser, lserver = LServer}}) -> ejabberd_auth:user_exists(LUser, LServer).

is_heard(#{owner := #jid{luser = LUser}}) -> LUser =:= <<>>.

%%% The old database is in use: the new one gets to be the same

copy(#{host := Host, to := To} = Ctx, Items) ->
    Nidx = ensure_node(Ctx),
    There = items(To, Ctx, Nidx),
    ok = put_items(Ctx, Nidx, [Item || {Id, Item} <- maps:to_list(Items), not is_same(Item, maps:get(Id, There, none))]),
    ok = To:delete_items(Host, Nidx, maps:keys(There) -- maps:keys(Items)),
    ok = mark(Ctx, Nidx, {copied, twitter_unread:moment()}),
    ok = listed(Ctx, Nidx),
    case is_there(Items, items(To, Ctx, Nidx)) andalso maps:size(Items) of
        false -> {left, "what was written is not what is read"};
        Count -> {done, posts(Ctx, Count, Items)}
    end.

%%% The new database is in use

move(#{host := Host, author := Author, owner := Owner, to := To} = Ctx, Source) ->
    case To:find(Host, Author, Owner) of
        {ok, Nidx, true} ->
            case {marked(Ctx, Nidx), is_heard(Ctx)} of
                {done, _} -> finish(Ctx, Source, Nidx, 0);
                %% Numbers that say who may see what were given on both sides.
                {none, true} -> {left, "more was heard of this author since mod_pubsub was switched"};
                %% His server tells again what it told in between.
                {{copied, _}, true} -> finish(Ctx, Source, Nidx, map_size(items(To, Ctx, Nidx)));
                {{copied, Since}, false} -> merge(Ctx, Source, Nidx, Since);
                {none, false} -> merge(Ctx, Source, Nidx, none)
            end;
        _ ->
            merge(Ctx, Source, ensure_node(Ctx), none)
    end.

merge(#{host := Host, from := From, to := To} = Ctx, Source, Nidx, Since) ->
    Items = items(From, Ctx, Source),
    There = items(To, Ctx, Nidx),
    Newer = maps:filter(fun(Id, Item) -> is_newer(Item, maps:get(Id, There, none), Since) end, Items),
    Gone = [Id || {Id, Item} <- maps:to_list(There), not is_map_key(Id, Items), was_copied(Item, Since)],
    ok = put_items(Ctx, Nidx, maps:values(Newer)),
    ok = To:delete_items(Host, Nidx, Gone),
    ok = listed(Ctx, Nidx),
    case is_there(Newer, items(To, Ctx, Nidx)) of
        true -> finish(Ctx, Source, Nidx, posts(Ctx, map_size(Items), Items));
        false -> {left, "what was written is not what is read"}
    end.

%% What is not there was deleted there, if it was copied before.
is_newer(Item, none, Since) -> not was_copied(Item, Since);
is_newer(#pubsub_item{modification = {Changed, _}}, #pubsub_item{modification = {Known, _}}, _Since) -> Changed > Known.

was_copied(_Item, none) -> false;
was_copied(#pubsub_item{modification = {Changed, _}}, Since) -> twitter_store:micros(Changed) =< Since.

finish(#{host := Host, author := Author, from := From, to := To} = Ctx, Source, Nidx, Posts) ->
    ok = mark(Ctx, Nidx, done),
    case To:sync(Host) of
        ok ->
            ok = From:delete(Host, Author, Source),
            ok = From:sync(Host),
            ok = To:delete_items(Host, Nidx, [?MARK]),
            {done, Posts};
        {error, Error} ->
            throw({refused, Error})
    end.

%% Of what was heard, what tells something about the stream is not counted.
posts(Ctx, Count, Items) ->
    case is_heard(Ctx) of
        false -> Count;
        true -> length([Id || <<C, _/binary>> = Id <- maps:keys(Items), C =/= 1])
    end.

%%% Nodes and items

ensure_node(#{host := Host, author := Author, owner := Owner, to := To}) ->
    case To:find(Host, Author, Owner) of
        {ok, Nidx, true} -> Nidx;
        {ok, Nidx, false} ->
            ok = To:delete(Host, Author, Nidx),
            created(To:create(Host, Author, Owner));
        none ->
            created(To:create(Host, Author, Owner))
    end.

created({ok, Nidx}) -> Nidx;
created({error, Error}) -> throw({refused, Error}).

%% By their ids, those that are whole.
items(Backend, #{host := Host, author := Author}, Nidx) ->
    maps:from_list([{Id, Item} || #pubsub_item{itemid = {Id, _}} = Item <- Backend:items_of(Host, Nidx),
                                  Id =/= ?MARK, twitter_store:is_whole(Item, Author)]).

put_items(_Ctx, _Nidx, []) ->
    ok;
put_items(#{host := Host, to := To} = Ctx, Nidx, Items) ->
    {Portion, Others} = lists:split(min(?PORTION, length(Items)), Items),
    ok = To:write(Host, [Item#pubsub_item{itemid = {Id, Nidx}, nodeidx = Nidx}
                         || #pubsub_item{itemid = {Id, _}} = Item <- Portion]),
    put_items(Ctx, Nidx, Others).

%% Mnesia has a list of each author's posts.
listed(#{host := Host, owner := Owner, to := To} = Ctx, Nidx) ->
    Newest = lists:reverse(lists:sort([{At, Id} || #pubsub_item{itemid = {Id, _}, creation = {At, _}}
                                                       <- maps:values(items(To, Ctx, Nidx))])),
    case is_heard(Ctx) of
        true -> ok;
        false -> To:listed({Host, Nidx}, Owner, [Id || {_, Id} <- Newest])
    end.

is_there(Items, There) ->
    maps:fold(fun(Id, Item, Before) -> Before andalso is_same(Item, maps:get(Id, There, none)) end, true, Items).

is_same(_Item, none) ->
    false;
is_same(#pubsub_item{creation = Creation, modification = Modification, payload = Payload},
        #pubsub_item{creation = Creation, modification = Modification, payload = Other}) ->
    %% The parser may cut a text in other pieces.
    Payload =:= Other orelse twitter_sql_text:payload(Payload) =:= twitter_sql_text:payload(Other);
is_same(_Item, _Other) ->
    false.

%%% How far it has come

mark(#{host := Host, owner := Owner, to := To}, Nidx, Mark) ->
    Attrs = case Mark of
                done -> [{<<"all">>, <<"true">>}];
                {copied, Moment} -> [{<<"copied">>, integer_to_binary(Moment)}]
            end,
    Now = {erlang:timestamp(), jid:tolower(Owner)},
    To:write(Host, [#pubsub_item{itemid = {?MARK, Nidx}, nodeidx = Nidx, creation = Now, modification = Now,
                                 payload = [#xmlel{name = <<"moved">>, attrs = [{<<"xmlns">>, ?NS} | Attrs]}]}]).

marked(#{host := Host, to := To}, Nidx) ->
    case To:read(Host, Nidx, [?MARK]) of
        [#pubsub_item{payload = [El]}] ->
            case fxml:get_tag_attr_s(<<"copied">>, El) of
                <<>> -> done;
                Moment -> {copied, binary_to_integer(Moment)}
            end;
        [] ->
            none
    end.

%% @doc An account was deleted: what is left of its posts in the other database goes too, or somebody else of that
%% name could be given them.
-spec forget(twitter_service:served(), Author :: jid:jid()) -> ok.
forget(#{host := Host, server_host := ServerHost}, Author) ->
    Db = other(twitter_storage:db(Host)),
    case has_tables(Db, ServerHost) of
        true ->
            Backend = twitter_storage:backend(Db),
            Name = jid:encode(Author),
            case Backend:find(Host, Name, Author) of
                {ok, Nidx, _} -> deleted(Backend:delete(Host, Name, Nidx));
                none -> ok
            end;
        false ->
            ok
    end.

deleted(ok) -> ok;
deleted({error, Error}) -> throw({refused, Error}).

has_tables(mnesia, _ServerHost) ->
    lists:member(pubsub_node, mnesia:system_info(tables));
has_tables(sql, ServerHost) ->
    %% Only where it runs: it would be started, and wait for a database that may not be there.
    is_pid(whereis(gen_mod:get_module_proc(ServerHost, ejabberd_sql_sup))).
