%%% @doc Posts in the SQL tables of mod_pubsub, by ejabberd's own schema: see {@link twitter_storage}. PostgreSQL,
%%% MySQL and MariaDB, SQLite; how names stand there says {@link twitter_sql_text}.
%%%
%%% The functions ask by queries of their own. Those of `node_flat_sql' take a query that fails for an empty
%%% answer: then somebody owns nothing, or nothing is stored. Here it ends the caller.
%%%
%%% A transaction runs in a process of ejabberd's pool, again if it meets another one. So there are queries in it
%%% and nothing else. Callbacks of mod_pubsub run in such a process as well: what is called there must not wait for
%%% a process that asks the database itself, for with SQLite there is one for all.
-module(twitter_sql_storage).
-behaviour(twitter_storage).

-include_lib("ejabberd/include/ejabberd_sql_pt.hrl").
-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([find/3, create/3, delete/3, purge/2, places/2, items/2, items_of/2, read/3, posts/2, write/2, delete_items/3,
         listed/3, authors/1, check/1, sync/1]).
-export([node/2, author/1, publish/5, retract/3, delete_exported/1]).

%% Of too many posts so many are deleted at once.
-define(MAX_REMOVED, 1000).

%%% Nodes

%% @private
-spec find(binary(), twitter_nif:jid(), jid:jid()) -> {ok, mod_pubsub:nodeIdx(), boolean()} | none.
find(Host, Author, Owner) ->
    Node = twitter_sql_text:stored(Author),
    Found = select(Host, ?SQL("select @(n.node)s, @(n.nodeid)d, @(s.jid)s"
                              " from pubsub_node n left join pubsub_state s"
                              " on s.nodeid = n.nodeid and s.affiliation = 'o'"
                              " where n.host=%(Host)s and n.node=%(Node)s")),
    Name = jid:encode(jid:tolower(jid:remove_resource(Owner))),
    case [{Nidx, Jid} || {Stored, Nidx, Jid} <- Found, Stored =:= Node] of
        [] -> none;
        [{Nidx, _} | _] = Owners -> {ok, Nidx, lists:keymember(Name, 2, Owners)}
    end.

%% @private
-spec create(binary(), twitter_nif:jid(), jid:jid()) -> {ok, mod_pubsub:nodeIdx()} | {error, #stanza_error{}}.
create(Host, Author, Owner) ->
    Node = twitter_sql_text:stored(Author),
    Name = jid:encode(jid:tolower(jid:remove_resource(Owner))),
    %% If another node of the cluster makes it at the same moment, one of both begins anew, and finds it.
    attempt(Host,
            fun() ->
                    case index(Host, Node) of
                        none ->
                            Nidx = insert_node(Host, Node),
                            insert_options(Nidx),
                            change(
                              ?SQL("insert into pubsub_state(nodeid, jid, affiliation, subscriptions)"
                                   " values (%(Nidx)d, %(Name)s, 'o', '')")),
                            Nidx;
                        Nidx ->
                            Nidx
                    end
            end).

index(Host, Node) ->
    {selected, Found} = ejabberd_sql:sql_query_t(
                          ?SQL("select @(node)s, @(nodeid)d from pubsub_node"
                               " where host=%(Host)s and node=%(Node)s")),
    case lists:keyfind(Node, 1, Found) of
        {Node, Nidx} -> Nidx;
        false -> none
    end.

insert_node(Host, Node) ->
    Parent = twitter_sql_text:parent(),
    change(
      ?SQL("insert into pubsub_node(host, node, parent, plugin)"
           " values (%(Host)s, %(Node)s, %(Parent)s, 'flat')")),
    Nidx = index(Host, Node),
    true = is_integer(Nidx),
    Nidx.

%% They keep the node private when the plugin is gone.
insert_options(Nidx) ->
    lists:foreach(
      fun({Key, Value}) ->
              Name = atom_to_binary(Key, latin1),
              Text = misc:term_to_expr(Value),
              change(
                ?SQL("insert into pubsub_node_option(nodeid, name, val)"
                     " values (%(Nidx)d, %(Name)s, %(Text)s)"))
      end, twitter_nodes:options()).

%% @private
-spec delete(binary(), twitter_nif:jid(), mod_pubsub:nodeIdx()) -> ok | {error, #stanza_error{}}.
delete(Host, _Author, Nidx) ->
    %% Not by what the schema says of rows that belong to others: SQLite does so only if asked to.
    Deleted = attempt(
                Host,
                fun() ->
                        change(?SQL("delete from pubsub_item where nodeid=%(Nidx)d")),
                        change(?SQL("delete from pubsub_state where nodeid=%(Nidx)d")),
                        change(?SQL("delete from pubsub_node_option where nodeid=%(Nidx)d")),
                        change(?SQL("delete from pubsub_node where nodeid=%(Nidx)d"))
                end),
    case Deleted of
        {ok, _} -> forget_last(Host, Nidx);
        {error, Error} -> {error, Error}
    end.

%% @doc Deletes the nodes of posts that ejabberd has exported from Mnesia: their ids and those of their items are as
%% they were there.
-spec delete_exported(Host :: binary()) -> ok.
delete_exported(Host) ->
    Parent = twitter_path:parent(),
    Found = select(Host, ?SQL("select @(nodeid)d, @(parent)s from pubsub_node"
                              " where host=%(Host)s and parent=%(Parent)s")),
    lists:foreach(fun(Nidx) ->
                          case delete(Host, <<>>, Nidx) of
                              ok -> ok;
                              {error, Error} -> throw({refused, Error})
                          end
                  end, [Nidx || {Nidx, Exact} <- Found, Exact =:= Parent]).

%% @private
-spec purge(binary(), mod_pubsub:nodeIdx()) -> ok.
purge(Host, Nidx) ->
    ok = done(Host, fun() -> change(?SQL("delete from pubsub_item where nodeid=%(Nidx)d")) end),
    forget_last(Host, Nidx).

%% The last item of each node, which mod_pubsub may keep, is in Mnesia also with SQL.
forget_last(Host, Nidx) ->
    mnesia:dirty_delete(pubsub_last_item, {Host, Nidx}).

%% @private
-spec authors(binary()) -> [twitter_nif:jid()].
authors(Host) ->
    Parent = twitter_sql_text:parent(),
    Other = twitter_path:parent(),
    Nodes = select(Host, ?SQL("select @(node)s, @(parent)s from pubsub_node"
                              " where host=%(Host)s and (parent=%(Parent)s or parent=%(Other)s)")),
    [Author || {Node, Found} <- Nodes, twitter_sql_text:is_parent(Found), {ok, Author} <- [twitter_sql_text:author(Node)]].

%%% Items

%% @private
-spec places(binary(), twitter_nif:jid()) -> [twitter_storage:place()].
places(Host, Author) ->
    Node = twitter_sql_text:stored(Author),
    Rows = select(Host, ?SQL("select @(n.node)s, @(s.jid)s, @(i.itemid)s, @(i.creation)s, @(i.modification)s"
                             " from pubsub_node n, pubsub_state s, pubsub_item i"
                             " where n.nodeid = s.nodeid and s.affiliation = 'o' and n.nodeid = i.nodeid"
                             " and n.host=%(Host)s and n.node=%(Node)s")),
    lists:append([place(Row, Author) || {Stored, Owner, _, _, _} = Row <- Rows, Stored =:= Node,
                                        is_owned(Host, Author, Owner)]).

%% By the author, or by the service if he lives elsewhere.
is_owned(Host, Author, Owner) ->
    Owner =:= Author orelse Owner =:= Host.

place({_Node, _Owner, Stored, Creation, Modification}, Author) ->
    try
        {ok, Id} = twitter_sql_text:id(Stored),
        [{Id, twitter_sql_text:timestamp(Creation), twitter_sql_text:timestamp(Modification)}]
    catch
        error:_ ->
            _ = twitter_store:left_out(Stored, Author),
            []
    end.

%% @private
-spec items(binary(), twitter_nif:jid()) -> [#pubsub_item{}].
items(Host, Author) ->
    Node = twitter_sql_text:stored(Author),
    Rows = select(Host, ?SQL("select @(n.node)s, @(s.jid)s, @(i.nodeid)d, @(i.itemid)s, @(i.publisher)s, @(i.creation)s,"
                             " @(i.modification)s, @(i.payload)s from pubsub_node n, pubsub_state s, pubsub_item i"
                             " where n.nodeid = s.nodeid and s.affiliation = 'o' and n.nodeid = i.nodeid"
                             " and n.host=%(Host)s and n.node=%(Node)s")),
    [record(Nidx, {Id, Jid, At, Changed, Xml})
     || {Stored, Owner, Nidx, Id, Jid, At, Changed, Xml} <- Rows, Stored =:= Node, is_owned(Host, Author, Owner)].

%% @private
-spec items_of(binary(), mod_pubsub:nodeIdx()) -> [#pubsub_item{}].
items_of(Host, Nidx) ->
    Rows = select(Host, ?SQL("select @(itemid)s, @(publisher)s, @(creation)s, @(modification)s, @(payload)s"
                             " from pubsub_item where nodeid=%(Nidx)d")),
    [record(Nidx, Row) || Row <- Rows].

%% @private
-spec read(binary(), mod_pubsub:nodeIdx(), [binary()]) -> [#pubsub_item{}].
read(Host, Nidx, [Id]) ->
    Stored = twitter_sql_text:item(Id),
    Rows = select(Host, ?SQL("select @(itemid)s, @(publisher)s, @(creation)s, @(modification)s, @(payload)s"
                             " from pubsub_item where nodeid=%(Nidx)d and itemid=%(Stored)s")),
    [record(Nidx, Row) || Row <- Rows, element(1, Row) =:= Stored];
read(_Host, _Nidx, []) ->
    [];
read(Host, Nidx, Ids) ->
    Stored = [twitter_sql_text:item(Id) || Id <- Ids],
    Rows = select(Host, ?SQL("select @(itemid)s, @(publisher)s, @(creation)s, @(modification)s, @(payload)s"
                             " from pubsub_item where nodeid=%(Nidx)d and itemid in %(Stored)ls")),
    ById = maps:from_list([{element(1, Row), Row} || Row <- Rows]),
    [record(Nidx, maps:get(One, ById)) || One <- Stored, is_map_key(One, ById)].

%% One query: it may also find what has the id of one wanted post and the author of another, which is left out.
%% @private
-spec posts(binary(), [{twitter_nif:jid(), binary()}]) -> [{twitter_nif:jid(), #pubsub_item{}}].
posts(Host, Wanted) ->
    Places = [{{twitter_sql_text:stored(Author), twitter_sql_text:item(Id)}, Author} || {Author, Id} <- Wanted],
    Nodes = lists:usort([Node || {{Node, _}, _} <- Places]),
    Ids = lists:usort([Id || {{_, Id}, _} <- Places]),
    Rows = select(Host, ?SQL("select @(n.node)s, @(s.jid)s, @(i.nodeid)d, @(i.itemid)s, @(i.publisher)s, @(i.creation)s,"
                             " @(i.modification)s, @(i.payload)s from pubsub_node n, pubsub_state s, pubsub_item i"
                             " where n.nodeid = s.nodeid and s.affiliation = 'o' and n.nodeid = i.nodeid"
                             " and n.host=%(Host)s and n.node in %(Nodes)ls and i.itemid in %(Ids)ls")),
    Found = maps:from_list([{{Node, Id, Owner}, {Nidx, {Id, Jid, At, Changed, Xml}}}
                            || {Node, Owner, Nidx, Id, Jid, At, Changed, Xml} <- Rows]),
    [{Author, record(Nidx, Row)} || {{Node, Id}, Author} <- Places, Owner <- [Author, Host],
                                    {ok, {Nidx, Row}} <- [maps:find({Node, Id, Owner}, Found)]].

%% What is damaged stands in the record as it is in the table: {@link twitter_store:is_whole/2} finds it.
record(Nidx, {Stored, Publisher, Creation, Modification, Xml}) ->
    Id = case twitter_sql_text:id(Stored) of
             {ok, Found} -> Found;
             none -> {damaged, Stored}
         end,
    Jid = ljid(Publisher),
    #pubsub_item{itemid = {Id, Nidx}, nodeidx = Nidx, creation = {moment(Creation), jid:remove_resource(Jid)},
                 modification = {moment(Modification), Jid}, payload = payload(Xml)}.

ljid(Text) ->
    try
        jid:tolower(jid:decode(Text))
    catch
        error:{bad_jid, _} -> {<<>>, <<>>, <<>>}
    end.

moment(Text) ->
    try
        twitter_sql_text:timestamp(Text)
    catch
        error:_ -> damaged
    end.

payload(Xml) ->
    case twitter_sql_text:elements(Xml) of
        [] -> damaged;
        Els -> Els
    end.

%% @private
-spec write(binary(), [#pubsub_item{}]) -> ok.
write(Host, Items) ->
    done(Host, fun() -> lists:foreach(fun put_item/1, Items) end).

put_item(#pubsub_item{itemid = {Id, Nidx}, creation = {At, _}, modification = {Changed, Jid}, payload = Payload}) ->
    Stored = twitter_sql_text:item(Id),
    Publisher = jid:encode(Jid),
    Creation = twitter_sql_text:moment(At),
    Modification = twitter_sql_text:moment(Changed),
    Xml = twitter_sql_text:payload(Payload),
    case stored_creation(Nidx, Stored) of
        none ->
            change(
              ?SQL("insert into pubsub_item(nodeid, itemid, publisher, creation, modification, payload)"
                   " values (%(Nidx)d, %(Stored)s, %(Publisher)s, %(Creation)s, %(Modification)s, %(Xml)s)"));
        _ ->
            change(
              ?SQL("update pubsub_item set publisher=%(Publisher)s, creation=%(Creation)s,"
                   " modification=%(Modification)s, payload=%(Xml)s"
                   " where nodeid=%(Nidx)d and itemid=%(Stored)s"))
    end.

stored_creation(Nidx, Stored) ->
    {selected, Rows} = ejabberd_sql:sql_query_t(
                         ?SQL("select @(creation)s from pubsub_item"
                              " where nodeid=%(Nidx)d and itemid=%(Stored)s")),
    case Rows of
        [{Creation} | _] -> Creation;
        [] -> none
    end.

%% @private
-spec delete_items(binary(), mod_pubsub:nodeIdx(), [binary()]) -> ok.
delete_items(Host, Nidx, Ids) ->
    Stored = [twitter_sql_text:item(Id) || Id <- Ids],
    done(Host, fun() -> lists:foreach(fun(One) -> delete_row(Nidx, One) end, Stored) end).

delete_row(Nidx, Stored) ->
    {updated, Count} = ejabberd_sql:sql_query_t(
                         ?SQL("delete from pubsub_item where nodeid=%(Nidx)d and itemid=%(Stored)s")),
    Count.

%% @private
-spec listed({binary(), mod_pubsub:nodeIdx()}, jid:jid(), [binary()]) -> ok.
listed(_Node, _Owner, _Ids) ->
    ok.

%% @private
-spec check(binary()) -> ok.
check(_Host) ->
    %% A query that fails says so.
    ok.

%% @private
-spec sync(binary()) -> ok.
sync(_Host) ->
    %% A transaction has ended when it is safe.
    ok.

%%% For the callbacks of mod_pubsub, in a process of the pool

%% @doc The node that stores an author's posts, as mod_pubsub is to see it.
-spec node(Host :: binary(), twitter_nif:jid()) -> {ok, mod_pubsub:nodeIdx()} | none.
node(Host, Author) ->
    case index(Host, twitter_sql_text:stored(Author)) of
        none -> none;
        Nidx -> {ok, Nidx}
    end.

%% @doc Whose posts the node with this index stores.
-spec author(mod_pubsub:nodeIdx()) -> {ok, Host :: binary(), twitter_nif:jid()} | none.
author(Nidx) ->
    {selected, Found} = ejabberd_sql:sql_query_t(
                          ?SQL("select @(n.host)s, @(n.node)s, @(n.parent)s, @(s.jid)s from pubsub_node n, pubsub_state s"
                               " where n.nodeid=%(Nidx)d and s.nodeid = n.nodeid and s.affiliation = 'o'")),
    case [{Host, Author} || {Host, Node, Parent, Owner} <- Found, twitter_sql_text:is_parent(Parent),
                            {ok, Author} <- [twitter_sql_text:author(Node)], is_owned(Host, Author, Owner)] of
        [{Host, Author} | _] -> {ok, Host, Author};
        [] -> none
    end.

%% @doc Stores a post of the owner, an edit if the id is there, and deletes the oldest ones if there are more than
%% `Max': at most five queries. Returns the ids of those that went.
-spec publish(Host :: binary(), mod_pubsub:nodeIdx(), Publisher :: jid:jid(), Max :: pos_integer() | unlimited,
              {Id :: binary(), mod_pubsub:payload()}) -> {ok, Removed :: [binary()]} | {error, #stanza_error{}}.
publish(Host, Nidx, Publisher, Max, {Id, Payload}) ->
    Stored = twitter_sql_text:item(Id),
    Jid = jid:encode(jid:tolower(Publisher)),
    Now = twitter_sql_text:moment(erlang:timestamp()),
    Xml = twitter_sql_text:payload(Payload),
    result(attempt(
             Host,
             fun() ->
                     case is_owner(Nidx, Publisher) of
                         false -> forbidden;
                         true -> put_post(Nidx, {Stored, Jid, Now, Xml}, Max)
                     end
             end)).

put_post(Nidx, {Stored, Jid, Now, Xml}, Max) ->
    case stored_creation(Nidx, Stored) of
        none ->
            change(
              ?SQL("insert into pubsub_item(nodeid, itemid, publisher, creation, modification, payload)"
                   " values (%(Nidx)d, %(Stored)s, %(Jid)s, %(Now)s, %(Now)s, %(Xml)s)")),
            removed(Nidx, Max);
        _ ->
            change(
              ?SQL("update pubsub_item set publisher=%(Jid)s, modification=%(Now)s, payload=%(Xml)s"
                   " where nodeid=%(Nidx)d and itemid=%(Stored)s")),
            {ok, []}
    end.

removed(_Nidx, unlimited) ->
    {ok, []};
removed(Nidx, Max) ->
    Limit = ?MAX_REMOVED,
    {selected, Rows} = ejabberd_sql:sql_query_t(
                         ?SQL("select @(itemid)s from pubsub_item where nodeid=%(Nidx)d"
                              " order by creation desc limit %(Limit)d offset %(Max)d")),
    Ids = [Stored || {Stored} <- Rows],
    case Ids of
        [] -> ok;
        _ -> change(?SQL("delete from pubsub_item where nodeid=%(Nidx)d and itemid in %(Ids)ls"))
    end,
    {ok, [Id || Stored <- Ids, {ok, Id} <- [twitter_sql_text:id(Stored)]]}.

is_owner(Nidx, Jid) ->
    Name = jid:encode(jid:tolower(jid:remove_resource(Jid))),
    {selected, Rows} = ejabberd_sql:sql_query_t(
                         ?SQL("select @(jid)s from pubsub_state where nodeid=%(Nidx)d and affiliation='o'")),
    lists:member({Name}, Rows).

%% @doc Deletes a post of the owner.
-spec retract({Host :: binary(), mod_pubsub:nodeIdx()}, Publisher :: jid:jid(), Id :: binary()) ->
          {ok, deleted} | {error, #stanza_error{}}.
retract({Host, Nidx}, Publisher, Id) ->
    Stored = twitter_sql_text:item(Id),
    result(attempt(
             Host,
             fun() ->
                     case is_owner(Nidx, Publisher) andalso delete_row(Nidx, Stored) of
                         false -> forbidden;
                         0 -> none;
                         _ -> {ok, deleted}
                     end
             end)).

result({ok, forbidden}) -> {error, xmpp:err_forbidden()};
result({ok, none}) -> {error, xmpp:err_item_not_found()};
result({ok, Result}) -> Result;
result({error, Error}) -> {error, Error}.

%%% Queries

change(Query) ->
    _ = ejabberd_sql:sql_query_t(Query),
    ok.

select(Host, Query) ->
    case ejabberd_sql:sql_query(twitter_storage:server_host(Host), Query) of
        {selected, Rows} -> Rows;
        Error -> exit({aborted, Error})
    end.

%% A process of the pool that crashes takes its connection along, and all that wait for it.
attempt(Host, Queries) ->
    case transaction(Host, Queries) of
        {atomic, Result} -> {ok, Result};
        {aborted, Reason} -> {error, twitter_storage:failed(Reason)}
    end.

done(Host, Queries) ->
    case transaction(Host, Queries) of
        {atomic, _} -> ok;
        {aborted, Reason} -> exit({aborted, Reason})
    end.

transaction(Host, Queries) ->
    Safe = fun() ->
                   try
                       Queries()
                   catch
                       error:Reason:Stacktrace -> ejabberd_sql:abort({Reason, Stacktrace})
                   end
           end,
    ejabberd_sql:sql_transaction(twitter_storage:server_host(Host), Safe).

